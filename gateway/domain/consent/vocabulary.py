"""Code systems and codes that the decision reads, each with its source."""

from gateway.domain.delivery import Flow

CONSENT_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
PATIENT_PRIVACY = "patient-privacy"

PARTICIPATION_TYPE = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
INFORMATION_RECIPIENT = "IRCP"

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
"""Holds OPTIN and OPTOUT (Consent.policyRule)."""

RESOURCE_TYPES = "http://hl7.org/fhir/resource-types"
"""The one system of Consent.provision.class that is read."""

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
CONFIDENTIALITY_LEVELS = {"U": 0, "L": 1, "M": 2, "N": 3, "R": 4, "V": 5}
"""Unrestricted to very restricted: R4 calls it a high-water mark (https://hl7.org/fhir/R4/security-labels.html)."""

DISTINCT_SENSITIVITIES = frozenset({"ETHUD", "OPIOIDUD", "HIV", "SCA", "MST", "TBOO"})
"""Sensitivity codes of v3-ActCode of which none is a kind of another one; of the rest (ETH, BH, SEX ...) that is open.

http://terminology.hl7.org/ValueSet/v3-ActInformationSensitivityPolicy
"""

CONSENT_ACTION = "http://terminology.hl7.org/CodeSystem/consentaction"
CONSENT_ACTIONS = frozenset({"collect", "access", "use", "disclose", "correct"})
EGRESS_ACTIONS = frozenset({"access", "disclose"})
"""What leaving the gateway is: we disclose, or the other side accesses."""

FLOW_POLICIES = {
    "https://consilium.example/fhir/policy/disclose-to-reviewer": Flow.DISCLOSE_TO_REVIEWER,
    "https://consilium.example/fhir/policy/return-to-clinic": Flow.RETURN_TO_CLINIC,
}
"""Consent.policy.uri of our own forms. Such a consent speaks of its flow alone: it permits it, or says nothing."""

PCF_POLICIES = frozenset(
    {
        "https://profiles.ihe.net/ITI/PCF/Policy-basic-normal",
        "https://profiles.ihe.net/ITI/PCF/Policy-all-normal",
    }
)
"""IHE PCF, volume 1, Implicit Option: the two policies under which the root type alone says permit or deny."""

ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
FLOW_PURPOSES = {
    Flow.DISCLOSE_TO_REVIEWER: frozenset({"TREAT"}),
    Flow.RETURN_TO_CLINIC: frozenset({"COC", "TREAT"}),
}
"""Purposes that open a flow. No general subsumption: ETREAT and BTG are kinds of TREAT and open nothing."""

_PURPOSE_CODES = (
    "HMARKT HOPERAT CAREMGT DONAT FRAUD GOV HACCRED HCOMPL HDECD HDIRECT HDM HLEGAL HOUTCOMS HPRGRP HQUALIMP "
    "HSYSADMIN LABELING METAMGT MEMADMIN MILCDM PATADMIN PATSFTY PERFMSR RECORDMGT SYSDEV HTEST TRAIN HPAYMT CLMATTCH "
    "COVAUTH COVERAGE ELIGDTRM ELIGVER ENROLLM MILDCRG REMITADV HRESCH BIORCH CLINTRCH CLINTRCHNPC CLINTRCHPC "
    "PRECLINTRCH DSRCH POARCH TRANSRCH PATRQT FAMRQT PWATRNY SUPNWK PUBHLTH DISASTER THREAT TREAT CLINTRL COC ETREAT "
    "BTG ERTREAT POPHLTH"
)
PURPOSES = frozenset(_PURPOSE_CODES.split())
"""Purposes known to differ from one another; a purpose outside this set cannot be resolved.

http://terminology.hl7.org/ValueSet/v3-PurposeOfUse without its root, which would mean every purpose.
"""
