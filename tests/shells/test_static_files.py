"""Which file a URL stands for."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastsio.integrations.static import StaticFiles


@pytest.fixture
def mapping(tmp_path):
    """A directory, a file in it, and an entry for each."""
    (tmp_path / "sub").mkdir()
    for name in ("index.html", "a.js", "sub/b.css"):
        (tmp_path / name).write_text(name)
    return {"/static": str(tmp_path), "/static/own/": str(tmp_path / "sub"), "/": str(tmp_path / "a.js")}


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("/", "a.js"),
        ("/static", "index.html"),
        ("/static/", "index.html"),
        ("/static/a.js", "a.js"),
        ("/static/sub/b.css", "b.css"),
        ("/static/own/b.css", "b.css"),
        ("/static/own", None),
        ("/static/missing", None),
        ("/staticx", None),
        ("/static/../secret", None),
        ("/static//etc/passwd", None),
        ("/static/\0", None),
        ("/static/" + "a/" * 3000, None),
        ("", None),
    ],
)
def test_the_longest_entry_that_a_url_begins_with_counts(mapping, url, name):
    """By whole segments, and never outside of what it names."""
    found = StaticFiles(mapping).find(url)

    assert (None if found is None else found.path.name) == name


KEYS = st.text("/ab", max_size=5).map("/{}".format)


@given(st.lists(KEYS, max_size=4), st.text("/ab", max_size=8).map("/{}".format))
def test_the_entry_is_found_as_by_cutting_segments_off(keys, url):
    """Against the plain way, which looks for each prefix of the URL."""
    files = StaticFiles({key: key for key in keys})
    chosen = []
    files._locate = lambda entry, rest: chosen.append((entry[0], rest))

    files.find(url)

    assert chosen == _by_cutting(set(keys), url)


def _by_cutting(keys, url):
    prefix, rest = url, ""
    while True:
        for key in (prefix, f"{prefix}/") if prefix != url else (prefix,):
            if key in keys:
                return [(key, rest)]
        if not prefix:
            return []
        prefix, _, last = prefix.rpartition("/")
        rest = f"{last}/{rest}" if rest else last


@pytest.mark.parametrize("entries", [{}, {"/static": "/nowhere", "/": "/nowhere"}])
def test_a_long_path_is_not_searched_for_long(entries):
    """60 KB of slashes took a second each, while nobody else was served."""
    files = StaticFiles(entries)
    started = time.process_time()

    for url in ("/" * 60_000, "/a" * 30_000):
        for _ in range(50):
            assert files.find(url) is None

    assert time.process_time() - started < 10
