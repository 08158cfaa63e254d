"""The management API against its own description, by a program that tries what nobody would think of.

Every operation is called with bodies and parameters that its document allows, and with some that it does not. No answer
may be a failure of ours, and none may differ from what the document says.
"""

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from conftest import Management, running

# they end what is being tested, or the session it is tested with
ENDS_IT = ["/api/restart", "/api/shutdown", "/api/auth/logout", "/api/auth/login", "/api/settings/require-login"]
CHECKS = [
    schemathesis.checks.not_a_server_error,
    schemathesis.checks.status_code_conformance,
    schemathesis.checks.content_type_conformance,
    schemathesis.checks.response_schema_conformance,
]
# of each operation; more find more and take longer
EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", "8"))


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    environment = {"OMNIROUTE_CONTROLPLANE__API__RATE_LIMIT_PER_MINUTE": "0", "ALLOW_PRIVATE_PROVIDER_URLS": "true"}
    with running(tmp_path_factory.mktemp("contract"), **environment) as (base, _, _):
        management = Management(base)
        # a person's session may do most, and cannot be deleted by what is tried
        cookie = next(iter(management.cookies))
        schema = schemathesis.openapi.from_url(f"{base}/api/openapi.json")
        schema.config.headers = {"cookie": f"{cookie.name}={cookie.value}", "origin": base}
        yield schema


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "not allowed"])
def test_every_answer_is_one_that_the_document_describes(described, mode):
    problems = []
    tried = 0
    for result in described.get_all_operations():
        operation = result.ok()
        if operation.path in ENDS_IT:
            continue
        tried += 1

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
        def answers_well(case):
            case.call_and_validate(checks=CHECKS, timeout=20)

        try:
            answers_well()
        except Unsatisfiable:
            # nothing about it can be wrong
            pass
        except (Exception, schemathesis.core.failures.FailureGroup) as failure:
            problems.append(f"{operation.label}: {failure}")
    assert tried > 120
    assert not problems, f"{len(problems)} of {tried} operations:\n\n" + "\n\n".join(problems)
