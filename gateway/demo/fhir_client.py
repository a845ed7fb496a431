"""How the demo's clinic and reviewer talk to the gateway: a token for their client, then FHIR over HTTP.

RFC 6749 4.4 (client credentials), https://hl7.org/fhir/R4/http.html#transaction
"""

import httpx

from gateway.demo.resources import Json
from gateway.demo.waiting import StepFailed

_TIMEOUT_S = 20.0


class FhirClient:
    """One OAuth client of the gateway; `root_url` is the gateway's, without a path."""

    def __init__(self, root_url: str, client_id: str, client_secret: str) -> None:
        self.fhir_url = f"{root_url}/fhir"
        self._http = httpx.Client(timeout=_TIMEOUT_S, trust_env=False)
        form = {"grant_type": "client_credentials"}
        answer = self._post(f"{root_url}/oauth/token", data=form, auth=(client_id, client_secret))
        self._http.headers["Authorization"] = f"Bearer {answer['access_token']}"

    def transact(self, bundle: Json) -> dict[str, str]:
        """Post a transaction Bundle; gives `Type -> Type/id` of what became of it, the last one of each type.

        Raises StepFailed with the gateway's own words when it is refused.
        """
        answer = self._post(self.fhir_url, json=bundle, headers={"Content-Type": "application/fhir+json"})
        locations = [entry["response"]["location"].removeprefix(f"{self.fhir_url}/") for entry in answer["entry"]]
        references = ["/".join(location.split("/")[:2]) for location in locations]
        return {reference.split("/")[0]: reference for reference in references}

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def _post(self, url: str, **content: object) -> Json:
        try:
            answer = self._http.post(url, **content)  # type: ignore[arg-type]  # two shapes of one call
        except httpx.HTTPError as exc:
            raise StepFailed(f"the gateway did not answer POST {url} ({type(exc).__name__})") from exc
        if not answer.is_success:
            raise StepFailed(f"the gateway answered POST {url} with HTTP {answer.status_code}: {answer.text[:600]}")
        return dict(answer.json())
