"""References to the papers that describe the algorithms."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    """A reference: title, authors, year, and the arXiv id where there is one.

    >>> print(Paper("Adam", "Kingma and Ba", 2014, arxiv="1412.6980"))
    Kingma and Ba (2014), Adam, arXiv:1412.6980
    """

    title: str
    authors: str
    year: int
    arxiv: str | None = None

    def __str__(self) -> str:
        arxiv = f", arXiv:{self.arxiv}" if self.arxiv else ""
        return f"{self.authors} ({self.year}), {self.title}{arxiv}"
