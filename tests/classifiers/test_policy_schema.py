"""The JSON schema that editors use."""

import json
from pathlib import Path

from blocklists import taxonomy
from classifiers import policy_schema as module
from classifiers.policy_schema import policy_schema

SHIPPED = Path(module.__file__).with_name("policy.schema.json")


def test_the_shipped_schema_is_that_of_the_model():
    """`spanwatch policy schema > classifiers/policy.schema.json` makes what is shipped."""
    assert json.loads(SHIPPED.read_text("utf-8")) == policy_schema()


def test_every_key_is_explained():
    """Sections refuse unknown keys, and categories are completed from the taxonomy."""
    schema = policy_schema()
    sections = [schema, *schema["$defs"].values()]
    assert all(section["additionalProperties"] is False for section in sections)
    assert schema["$defs"]["Rule"]["properties"]["categories"]["items"]["enum"] == list(taxonomy.NAMES)
    assert schema["required"] == ["organisation", "sites"]
    assert "from" in schema["$defs"]["Exemption"]["properties"]
