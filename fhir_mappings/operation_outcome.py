"""What went wrong, or right, as OperationOutcome (https://hl7.org/fhir/R4/operationoutcome.html).

| FHIR path | source | required | note |
| --- | --- | --- | --- |
| issue.severity | severity | yes | error, or information for a success |
| issue.code | code | yes | https://hl7.org/fhir/R4/valueset-issue-type.html |
| issue.diagnostics | diagnostics | yes | a sentence without patient data |
| issue.expression | at | no | FHIRPath of the element |
"""

from typing import Any


def operation_outcome(diagnostics: str, *, code: str, at: str = "", severity: str = "error") -> dict[str, Any]:
    """An OperationOutcome with one issue."""
    issue: dict[str, Any] = {"severity": severity, "code": code, "diagnostics": diagnostics}
    if at:
        issue["expression"] = [at]
    return {"resourceType": "OperationOutcome", "issue": [issue]}
