"""The XHTML that FHIR R4 allows in a narrative: formatting only, nothing active, nothing fetched.

https://hl7.org/fhir/R4/narrative.html, invariants txt-1 (elements and attributes of HTML 4.0 chapters 7-11 without
9.4, and 15, `a`, `img`, `style` attributes) and txt-2 (some content). Stricter than R4 in four points: an image is
inline raster data (or a fragment), no style may fetch, move or hide anything, no processing instruction, no image map.
"""

import re

from lxml import etree

from gateway.domain.errors import Invalid

XHTML = "http://www.w3.org/1999/xhtml"
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"

ELEMENTS = frozenset(
    [
        "a",
        "abbr",
        "acronym",
        "address",
        "b",
        "bdo",
        "big",
        "blockquote",
        "br",
        "caption",
        "cite",
        "code",
        "col",
        "colgroup",
        "dd",
        "dfn",
        "div",
        "dl",
        "dt",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "kbd",
        "li",
        "ol",
        "p",
        "pre",
        "q",
        "samp",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "tt",
        "ul",
        "var",
    ]
)

_GLOBAL_ATTRIBUTES = frozenset(("id", "class", "style", "title", "lang", "dir", XML_LANG))
_CELL = frozenset(["align", "valign", "char", "charoff"])
_TABLE_CELL = _CELL | frozenset(["abbr", "axis", "headers", "scope", "rowspan", "colspan", "nowrap"])
_ATTRIBUTES = {
    "a": frozenset(("href", "name")),
    "img": frozenset(("src", "alt", "height", "width")),
    "table": frozenset(["summary", "width", "border", "frame", "rules", "cellspacing", "cellpadding"]),
    "colgroup": _CELL | {"span", "width"},
    "col": _CELL | {"span", "width"},
    "thead": _CELL,
    "tfoot": _CELL,
    "tbody": _CELL,
    "tr": _CELL,
    "th": _TABLE_CELL,
    "td": _TABLE_CELL,
}

_INLINE_IMAGE = re.compile(r"data:image/(png|jpeg|gif);base64,[A-Za-z0-9+/=\s]+")
_FRAGMENT = re.compile(r"#[^\s]*")
_LINK = re.compile(r"#[^\s]*|(https?|mailto|tel):[^\s]+|[A-Za-z0-9][^\s:]*", re.IGNORECASE)
_UNSAFE_STYLE = re.compile(
    r"url\s*\(|image-set|expression|@|\\|/\*|behaviou?r|-moz-binding"
    r"|(^|;)\s*(position|display|visibility|opacity|content|z-index|float|clip|transform|text-indent|string-set"
    r"|bookmark-[a-z]+|page|running|all|--[^:]*)\s*:",
    re.IGNORECASE,
)


def check_narrative(div: str, *, at: str = "text.div", may_link: bool = False) -> str:
    """The same text, when it is one XHTML `div` of the R4 narrative subset.

    `at` is the FHIRPath for the error. With `may_link`, an `a` may point to http, https, mailto, tel or a relative
    address, and an image to a contained resource; without it, a link stays in the text and every image is inline.

    Raises:
        Invalid: not well-formed, a DOCTYPE or entity, an element, attribute, address or style outside the subset,
            or nothing to read in it.
    """
    root = parse_narrative(div, at=at)
    for element in root.iter():
        if element.tag is etree.Comment:
            continue
        _check_element(element, at, may_link)
    if not has_content(root):
        raise Invalid("a narrative has to have text or an image in it (txt-2)", at=at)
    return div


def parse_narrative(div: object, *, at: str = "text.div") -> etree._Element:
    """The `div` element of a narrative, parsed without entities, DTD or network; its content is not checked yet."""
    if not isinstance(div, str) or "<!doctype" in div.lower() or "<!entity" in div.lower():
        raise Invalid("a narrative is XHTML text without DOCTYPE and entities", at=at)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(div.strip().encode(), parser)
    except (etree.XMLSyntaxError, UnicodeEncodeError):
        # The parser's message quotes the text, so it is dropped on purpose.
        raise Invalid("a narrative has to be well-formed XHTML", at=at) from None
    if root.tag != f"{{{XHTML}}}div":
        raise Invalid(f'a narrative is one <div xmlns="{XHTML}">', at=at)
    return root


def has_content(root: etree._Element) -> bool:
    """Whether there is text other than white space, or an image (txt-2)."""
    return bool("".join(root.itertext(etree.Element)).strip()) or root.find(f".//{{{XHTML}}}img") is not None


def _check_element(element: etree._Element, at: str, may_link: bool) -> None:
    namespace, _, name = element.tag[1:].partition("}") if isinstance(element.tag, str) else ("", "", "")
    if namespace != XHTML or name not in ELEMENTS:
        raise Invalid("the narrative has an element that R4 does not allow", at=at)
    allowed = _GLOBAL_ATTRIBUTES | _ATTRIBUTES.get(name, frozenset())
    for attribute, value in element.attrib.items():
        if attribute not in allowed:
            raise Invalid(f"the narrative has an attribute of <{name}> that R4 does not allow", at=at)
        if not _is_safe(str(attribute), str(value), may_link):
            raise Invalid(f"the narrative has an unsafe value in {attribute} of <{name}>", at=at)


def _is_safe(attribute: str, value: str, may_link: bool) -> bool:
    if attribute == "href":
        return (_LINK if may_link else _FRAGMENT).fullmatch(value.strip()) is not None
    if attribute == "src":
        address = value.strip()
        return _INLINE_IMAGE.fullmatch(address) is not None or (may_link and _FRAGMENT.fullmatch(address) is not None)
    if attribute == "style":
        return _UNSAFE_STYLE.search(value) is None
    return True
