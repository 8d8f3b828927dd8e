"""Reading a report as a browser does: elements, texts, tables."""

from html.parser import HTMLParser

EMPTY = {"meta", "input", "br", "link", "img"}


class Page(HTMLParser):
    """A page: `elements` has `(tag, attributes, text, ancestors)` of each one."""

    def __init__(self, text):
        super().__init__()
        self.source, self.elements, self.stack = text, [], []
        self.feed(text)
        assert not self.stack, self.stack

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, "text": "", "above": [e["tag"] for e in self.stack]}
        element |= {"attrs": dict(attrs)}
        self.elements.append(element)
        if tag not in EMPTY:
            self.stack.append(element)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in EMPTY:
            self.stack.pop()

    def handle_endtag(self, tag):
        assert self.stack.pop()["tag"] == tag, tag

    def handle_data(self, data):
        for element in self.stack:
            element["text"] += data

    def all(self, tag, **attrs):
        """Return the elements with a tag and some attributes."""
        given = {k.rstrip("_").replace("_", "-"): v for k, v in attrs.items()}
        return [
            e
            for e in self.elements
            if e["tag"] == tag and given.items() <= e["attrs"].items()
        ]

    def text(self, tag, **attrs):
        """Return the words of the first such element."""
        return " ".join(self.all(tag, **attrs)[0]["text"].split())
