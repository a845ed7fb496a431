"""A FHIR narrative as a piece of an HTML 5 page.

XHTML of HTML 4.0 is translated where HTML 5 has dropped an element or attribute; ids are kept apart by section;
class names go, so that nothing in a narrative can take on a look of the page around it; comments go.
"""

import re

from lxml import etree

from fhir_mappings.narrative import XHTML, XML_LANG, check_narrative, parse_narrative

_RENAMED = {"tt": "code", "big": "span", "acronym": "abbr"}
_HEADINGS = {"h1": "h3", "h2": "h4", "h3": "h5", "h4": "h6", "h5": "h6"}
"""The page itself uses h1 and h2."""

_STYLED = {"align": "text-align", "valign": "vertical-align", "width": "width", "height": "height"}
_LENGTH = re.compile(r"[0-9]{1,4}(\.[0-9]+)?%?")
_WORD = re.compile(r"[a-z]{1,10}")
_KEPT = frozenset(("style", "title", "lang", "dir", "src", "alt", "rowspan", "colspan", "headers"))
_KEPT_IN_HEADER_CELL = frozenset(("scope", "abbr"))


def to_html(narrative: str, *, id_prefix: str) -> str:
    """The narrative as an HTML `div`; ids and the links to them begin with `id_prefix`.

    Raises:
        Invalid: not of the strict narrative subset. It was checked on arrival; this is the second wall.
    """
    check_narrative(narrative)
    root = parse_narrative(narrative)
    return str(etree.tostring(_translated(root, id_prefix), method="html", encoding="unicode"))


def _translated(element: etree._Element, id_prefix: str) -> etree._Element:
    name = element.tag.removeprefix(f"{{{XHTML}}}")
    copy = etree.Element(_HEADINGS.get(name) or _RENAMED.get(name, name))
    copy.text = element.text
    styles = []
    for attribute, value in element.attrib.items():
        if style := _style(attribute, value):
            styles.append(style)
        for kept, text in _attribute(name, attribute, value, id_prefix):
            copy.set(kept, text)
    if styles:
        copy.set("style", "; ".join((*styles, *filter(None, [copy.get("style")]))))
    if name == "img" and copy.get("alt") is None:
        copy.set("alt", "")
    for child in element:
        _append(copy, child, id_prefix)
    return copy


def _append(parent: etree._Element, child: etree._Element, id_prefix: str) -> None:
    if child.tag is not etree.Comment:
        copy = _translated(child, id_prefix)
        copy.tail = child.tail
        parent.append(copy)
    elif len(parent):
        parent[-1].tail = (parent[-1].tail or "") + (child.tail or "")
    else:
        parent.text = (parent.text or "") + (child.tail or "")


def _attribute(name: str, attribute: str, value: str, id_prefix: str) -> list[tuple[str, str]]:
    if attribute == "id" or (attribute == "name" and name == "a"):
        return [("id", id_prefix + re.sub(r"\s+", "-", value))]
    if attribute == "href":
        return [("href", f"#{id_prefix}{value.strip()[1:]}")]
    if attribute == XML_LANG:
        return [("lang", value)]
    if attribute in _KEPT or (name == "th" and attribute in _KEPT_IN_HEADER_CELL):
        return [(attribute, value)]
    return []


def _style(attribute: str, value: str) -> str:
    """A presentational attribute as a declaration; a bare number is in pixels."""
    value = value.strip().lower()
    if attribute in ("align", "valign") and _WORD.fullmatch(value):
        return f"{_STYLED[attribute]}: {value}"
    if attribute in ("width", "height") and _LENGTH.fullmatch(value):
        return f"{_STYLED[attribute]}: {value}" + ("" if value.endswith("%") else "px")
    return ""
