"""Judges policies: a JSON document a line on standard input, a JSON list of complaints a line out.

parliament judges the grammar, and whether an action goes with a resource; policy-sentry, whose
definitions are newer, whether there is such an action and what it can be held to.
"""

import json
import re
import sys
import warnings

from policy_sentry.querying.actions import get_action_data

with warnings.catch_warnings():
    # It asks setuptools in an old way.
    warnings.simplefilter("ignore")
    import parliament


def of_grammar(document):
    for finding in parliament.analyze_policy_string(json.dumps(document)).findings:
        yield f"parliament: {finding.issue} {finding.detail}"


def of_actions(document):
    for statement in document["Statement"]:
        for action in statement["Action"]:
            service, name = action.split(":")
            known = (get_action_data(service, name) or {}).get(service, [])
            forms = [re.sub(r"\$\{\w+\}", "*", row["resource_arn_format"]) for row in known]
            for resource in statement["Resource"]:
                # An action that nothing can be held to takes "*", which would match everything.
                if not any(f != "*" and parliament.is_arn_match("", f, resource) for f in forms):
                    yield f"policy-sentry: {action} on {resource}: takes {forms}"


for line in sys.stdin:
    document = json.loads(line)
    print(json.dumps([*of_grammar(document), *of_actions(document)]))
