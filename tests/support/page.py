"""An HTML page, taken apart."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """The parts of a page."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self.path = [], [], []
        self.feed(text)
        self.text = " ".join("".join(self.texts).split())

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.path.append(tag)

    def handle_endtag(self, tag):
        while self.path and self.path.pop() != tag:
            pass
        if tag not in ("code", "strong"):
            self.texts.append(" ")

    def handle_data(self, data):
        if "style" not in self.path:
            self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]
