"""As much of a browser as forms take: cookies, the Origin header, and the token of the form it was shown last."""

import re
import weakref
from html import unescape
from typing import Any

import httpx

_FIELD = re.compile(r'<input type="hidden" name="form_token" value="([^"]*)">')
_HEADING = re.compile(r"<h1>(.*?)</h1>", re.DOTALL)
_PROBLEM = re.compile(r'<p class="problem" role="alert">(.*?)</p>', re.DOTALL)


class Browser:
    """Its cookies stay with it; `url` is the gateway's root."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, verify=False, trust_env=False, timeout=30)
        self.form_token = ""
        weakref.finalize(self, self.http.close)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self._seen(self.http.get(path, **more))

    def post(self, path: str, origin: str = "", **fields: str) -> httpx.Response:
        """A form that the last page had, with its token; `origin` in place of the gateway's own."""
        data = {"form_token": self.form_token, **fields}
        return self._seen(self.http.post(path, data=data, headers={"Origin": origin or self.url}))

    def cookie(self, name: str) -> str:
        return self.http.cookies.get(f"consilium-{name}") or ""

    def _seen(self, answer: httpx.Response) -> httpx.Response:
        if found := _FIELD.search(answer.text):
            self.form_token = found[1]
        return answer


def heading(answer: httpx.Response) -> str:
    found = _HEADING.search(answer.text)
    return unescape(found[1]) if found else ""


def problem(answer: httpx.Response) -> str:
    found = _PROBLEM.search(answer.text)
    return unescape(found[1]) if found else ""
