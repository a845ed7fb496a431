"""What the list of cases shows of an order as a clinic sends it."""

from gateway.demo import resources as demo
from gateway.services import listing
from tests.integration.store.stage import Stage


def test_a_case_is_listed_with_the_number_of_its_order(stage: Stage) -> None:
    data = stage.case_data()
    stage.post(demo.clinic_bundle(data, b"%PDF-1.7 a pathology report"))
    [line] = listing.case_lines(stage.core, limit=9)
    assert line.orders == (data.order_number,)
