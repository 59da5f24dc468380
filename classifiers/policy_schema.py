"""The JSON schema of policy files: what editors check and complete while one writes."""

from typing import Any

from blocklists import taxonomy
from classifiers.policy_model import Policy


def policy_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12). What holds across sections only `policy check` tells."""
    schema = Policy.model_json_schema(by_alias=True)
    known = {"type": "string", "enum": list(taxonomy.NAMES)}
    for section in ("Rule", "Exemption", "Quota"):
        schema["$defs"][section]["properties"]["categories"]["items"] = known
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "spanwatch policy",
    }
