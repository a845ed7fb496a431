"""Who may what, and how people and roles are spelt."""

import pytest

from gateway.domain.errors import Invalid
from gateway.domain.people import (
    MAY,
    Permission,
    Role,
    RoleGrant,
    check_name,
    check_roles,
    permissions_of,
    read_grant,
    who_may,
)

TABLE = [
    (Role.ADMINISTRATOR, {Permission.SEE_PEOPLE}),
    (Role.COORDINATOR, {Permission.SEE_WAITS, Permission.SEE_RECALLS}),
    (Role.REVIEWER, set()),
    (Role.PRIVACY_OFFICER, {Permission.SEE_AUDIT, Permission.SEE_RECALLS}),
]


@pytest.mark.parametrize(("role", "permissions"), TABLE, ids=[str(role) for role, _ in TABLE])
def test_a_role_may_this_and_nothing_else(role: Role, permissions: set[Permission]) -> None:
    assert permissions_of([role]) == permissions
    assert all((role in who_may(one)) == (one in permissions) for one in Permission)


def test_every_role_is_in_the_table_and_somebody_has_each_permission() -> None:
    assert set(MAY) == set(Role)
    assert all(who_may(one) for one in Permission)


def test_who_has_several_roles_may_what_any_of_them_may() -> None:
    both = permissions_of([Role.ADMINISTRATOR, Role.PRIVACY_OFFICER])
    assert both == {Permission.SEE_PEOPLE, Permission.SEE_AUDIT, Permission.SEE_RECALLS}
    assert permissions_of([]) == frozenset()


@pytest.mark.parametrize("name", ["a", "ayse.demir", "j-b_2", "a" * 64])
def test_a_name_that_is_taken(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "Ayse", "ayşe", "1st", "a b", "a..b", ".a", "a.", "a\n", "openid-1", "a" * 65, "user:root", "<b>"]
)
def test_a_name_that_is_not(name: str) -> None:
    with pytest.raises(Invalid):
        check_name(name)


def test_a_reviewer_has_a_party_and_nobody_else_has() -> None:
    assert check_roles([Role.REVIEWER, Role.COORDINATOR], has_party=True) == {Role.REVIEWER, Role.COORDINATOR}
    for roles, has_party in (([Role.REVIEWER], False), ([Role.COORDINATOR], True), ([], False)):
        with pytest.raises(Invalid):
            check_roles(roles, has_party=has_party)


def test_a_role_as_the_settings_name_it() -> None:
    assert read_grant("coordinator") == RoleGrant(Role.COORDINATOR)
    assert read_grant("reviewer:board") == RoleGrant(Role.REVIEWER, "board")
    for wrong in ("", "root", "reviewer", "reviewer:", "coordinator:board"):
        with pytest.raises(Invalid):
            read_grant(wrong)
