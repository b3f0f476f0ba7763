"""A report as a browser reads it, for tests."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """What a browser would fetch, link and say."""

    def __init__(self, html: str):
        super().__init__()
        self.sources: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.images: list[dict[str, str | None]] = []
        self.headings: list[str] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        assert not [tag for tag in self._open if tag not in ("html", "body")], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag not in ("meta", "img", "br", "rect", "line"):
            self._open.append(tag)
        self.anchors.add(str(found.get("id")))
        self.sources += [str(found[name]) for name in ("src", "srcset", "data") if name in found]
        if tag == "img":
            self.images.append(found)
        if tag in ("a", "link") and "href" in found:
            self.links.append(str(found["href"]))
        if tag == "h2":
            self.headings.append("")
        if tag == "td":
            self.text.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("rect", "line"):
            return
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.text.append(data)
        if "h2" in self._open:
            self.headings[-1] += data

    @property
    def words(self) -> str:
        return " ".join("".join(self.text).split())
