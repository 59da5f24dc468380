"""Lines of keys in a TOML text."""

from classifiers.toml_lines import crowded_line, key_lines, line_of

TEXT = '''top = 1

[[sites]]  # first
id = "a"
subnets = [
    "10.0.0.0/8", # ] not the end
    "id = 3",
]
[sites.calendar]
duty = [{ days = ["mon"], from = "08:00" }]

[[sites]]
id = "b"
note = """
id = "not a key"
[not.a.table]
"""
a.b = 2
[filter]
tap_side = "lan"
'''


def test_keys_and_headers_have_their_lines():
    """A key, a header, an element of an array of tables and a dotted key each give their own line."""
    lines = key_lines(TEXT)
    assert lines["top",] == 1
    assert lines["sites", 0] == 3
    assert lines["sites", 0, "subnets"] == 5
    assert lines["sites", 0, "calendar", "duty"] == 10
    assert lines["sites", 1, "id"] == 13
    assert lines["sites", 1, "a", "b"] == 18
    assert lines["filter", "tap_side"] == 20


def test_text_inside_values_is_no_key():
    """Lines inside a long string or a list over several lines are not taken for keys."""
    lines = key_lines(TEXT)
    assert ("sites", 1, "not") not in lines
    assert ("not", "a", "table") not in lines
    assert lines["sites", 0, "id"] == 4


def test_an_inner_value_falls_back_to_the_key_around_it():
    """A path into an inline value gives the line of the key that holds it, and 1 without any."""
    lines = key_lines(TEXT)
    assert line_of(lines, ("sites", 0, "calendar", "duty", 0, "from")) == 10
    assert line_of(lines, ("nowhere", "at", "all")) == 1


def test_a_line_of_too_many_dots_is_found():
    """A key of hundreds of parts is found, however its parts are written; dots in strings don't count."""
    assert crowded_line("a = 1\n" + "a." * 300 + "b = 1\n") == 2
    assert crowded_line("a = 1\n" + '"a" . ' * 300 + "b = 1\n") == 2
    assert crowded_line('a = "' + "." * 300 + "\"\nb = '" + "." * 300 + "' # " + "." * 300) == 0
    assert crowded_line('"\\"' * 100_000) == 0


def test_a_hostile_line_takes_no_time():
    """A line of a million blanks behind a bracket is passed over."""
    assert key_lines("[a]\n[" + " " * 1_000_000 + "\nb = 1")[("a", "b")] == 3
