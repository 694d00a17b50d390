"""summary DIRECTORY: adds up the JUnit files there and prints the closing line, "N passed, N failed". Fails when a test failed,
and when there was none."""
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def outcome_of(case):
    children = {child.tag for child in case}
    if children & {'failure', 'error'} or case.get('status') == 'fail':
        return 'failed'
    return 'skipped' if 'skipped' in children or case.get('status') in ('notrun', 'disabled') else 'passed'


def main(directory):
    counts = {'passed': 0, 'failed': 0, 'skipped': 0}
    for path in sorted(pathlib.Path(directory).glob('*.xml')):
        for case in ElementTree.parse(path).iter('testcase'):
            outcome = outcome_of(case)
            counts[outcome] += 1
            if outcome == 'failed':
                print(f'failed: {case.get("classname") or ""} {case.get("name")}')
    print(f'{counts["passed"]} passed, {counts["failed"]} failed'
          + (f', {counts["skipped"]} skipped' if counts['skipped'] else ''))
    return 0 if counts['passed'] and not counts['failed'] else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
