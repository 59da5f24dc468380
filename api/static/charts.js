"use strict";
// Draws each figure's Vega-Lite specification with Vega's interpreter, in the colours of the page.

const style = () => getComputedStyle(document.documentElement);
const colour = (name) => style().getPropertyValue(name).trim();

function config() {
  const text = colour("--text-soft");
  const line = colour("--line");
  return {
    background: "transparent",
    font: style().getPropertyValue("--font").trim(),
    view: { stroke: null },
    axis: {
      labelColor: text, titleColor: text, gridColor: line, domainColor: line, tickColor: line,
      labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", titlePadding: 8,
    },
    axisX: { grid: false },
    axisY: { domain: false, ticks: false },
    legend: { labelColor: text, labelFontSize: 12, symbolType: "square", labelLimit: 170, padding: 4, rowPadding: 6, columnPadding: 16 },
  };
}

function specification(figure) {
  const text = figure.querySelector("script[type='application/json']").textContent;
  const narrow = figure.clientWidth < 480;
  return JSON.parse(text, (key, value) => {
    if (key === "columns" && narrow) return Math.min(value, 2);
    return typeof value === "string" && value.startsWith("var(--") ? colour(value.slice(4, -1)) : value;
  });
}

async function draw(figure) {
  const place = figure.querySelector(".plot");
  try {
    await vegaEmbed(place, specification(figure), {
      actions: false, ast: true, config: config(), defaultStyle: false, mode: "vega-lite",
      renderer: "svg", tooltip: { disableDefaultStyle: true },
    });
    figure.dataset.drawn = "yes";
  } catch (error) {
    place.textContent = "The chart could not be drawn; its table below has the numbers.";
    console.error(error);
  }
}

const drawAll = () => document.querySelectorAll("figure.chart").forEach(draw);
drawAll();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
