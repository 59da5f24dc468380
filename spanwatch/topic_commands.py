"""`spanwatch topics`: the topics on Kafka, made where they are missing, and what differs."""

from typing import Annotated

import typer

from pipeline.settings import SettingsError
from spanwatch.invocation import FAILED


def topics(
    context: typer.Context,
    grow: Annotated[
        bool, typer.Option("--grow", help="add partitions where there are fewer than stream.kafka.partitions")
    ] = False,
) -> None:
    """Make the topics that are missing, and say how others differ from the settings."""
    from pipeline.stream import topics as stream_topics
    from pipeline.stream.kafka import open_admin

    settings = context.obj.settings().stream.kafka
    if not settings.brokers:
        raise SettingsError("there is no Kafka; set stream.kafka.brokers")
    wanted = stream_topics.wanted(settings)
    with open_admin(settings) as admin:
        made = stream_topics.make(admin, wanted)
        grown = stream_topics.grow(admin, wanted) if grow else []
        found = stream_topics.find(admin, wanted)
    differ = False
    for topic in wanted:
        told = ["missing"] if topic.name not in found else stream_topics.differences(topic, found[topic.name])
        what = "made" if topic.name in made else "grown" if topic.name in grown else "there"
        print(f"{topic.name}: {'; '.join(told) or what}")
        differ = differ or bool(told)
    if differ:
        raise typer.Exit(FAILED)
