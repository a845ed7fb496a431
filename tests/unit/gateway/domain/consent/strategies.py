"""Consents and requests for hypothesis: put together from pools, so that an example is few choices and shrinks well."""

from dataclasses import replace
from random import Random

from hypothesis import strategies as st

from gateway.domain.consent import Consent, Provision
from tests.unit.gateway.domain.consent.random_cases import (
    POLICIES,
    random_consents,
    random_provision,
    random_request,
)

_RANDOM = Random(1)
_POOL = 300
_DEEPEST = 3
requests = st.sampled_from(sorted((random_request(_RANDOM) for _ in range(_POOL)), key=lambda one: len(one.items)))
leaves = st.sampled_from(
    sorted((random_provision(_RANDOM, _DEEPEST) for _ in range(_POOL)), key=lambda one: len(str(one)))
)
_bare_consents = st.sampled_from([random_consents(_RANDOM)[0] for _ in range(_POOL)])
picks = st.integers(0, 2**16).map(Random)
"""Which part of an example a test changes."""


def _nested(inner: st.SearchStrategy[Provision]) -> st.SearchStrategy[Provision]:
    nests = st.lists(inner, max_size=2).map(tuple)
    return st.builds(lambda one, nest: replace(one, provisions=nest), leaves, nests)


_roots = st.tuples(_nested(_nested(leaves)), st.booleans()).map(
    lambda drawn: replace(drawn[0], type=None) if drawn[1] else drawn[0]
)
_one_consent = st.builds(
    lambda one, root, policy: replace(one, provision=root, policy=policy),
    _bare_consents,
    _roots,
    st.sampled_from(POLICIES),
)


def _numbered(found: list[Consent]) -> list[Consent]:
    return [replace(one, id=f"c{number}") for number, one in enumerate(found)]


consents = st.lists(_one_consent, min_size=1, max_size=3).map(_numbered)
