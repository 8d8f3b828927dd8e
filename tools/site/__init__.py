"""The site: `python -m tools.site` builds it from `docs/`, the code and the records."""
