"""assessments: what parents read of them, from shared memory beside bare libh2o; and attempts that are completed (36 answers and
more, scored, results, recommendations, event) while others read, beside a commit of pgbench under the same reads."""
import concurrent.futures
import datetime
import glob
import subprocess
import tempfile
import time

import gauge
import mixed
import openloop
import reads
from harness import people
from harness.client import Client
from openloop import Stream
from writes import bare_insert

ASSESSMENTS, QUESTIONS = '/api/v1/assessments', '/api/v1/assessments/questions?age=24'
RECOMMENDED = '/api/v1/videos/recommended'
RATE, READS, PARENTS = 50, 500, 1  # one client, so that the rate is even: a completion each 20 ms, and not four of them each 80
AGE = 24  # months, of the children whose attempts are completed
FLUSH = 1000  # microseconds more, in the second rounds: disks that lose nothing take that long, many virtual ones a tenth
LOOKS = 100  # at what is recommended, right after an attempt
NOT_MORE = 3  # times a commit's p99; reads: twice


def born():
    """The birthday of somebody of that age, some days ago."""
    then = datetime.date.today() - datetime.timedelta(days=10)
    return f'{then.year - AGE // 12}-{then.month:02d}-{min(then.day, 28):02d}'


class Attempts:
    """Attempts of children of our own, with all their answers, ready to be completed once."""

    def __init__(self, system, count):
        self.system, self.each = system, -(-count // PARENTS)
        self.parents = [people.newcomer(system) for _ in range(PARENTS)]
        self.questions = Client(system).get(ASSESSMENTS + '/questions', query={'age': AGE}).expect(200).data
        with concurrent.futures.ThreadPoolExecutor(PARENTS) as pool:
            self.paths = list(pool.map(self.prepare, self.parents))
        self.taken = 0

    @staticmethod
    def answer(question):
        kinds = {'yes_no': lambda: True, 'scale': lambda: question['scale']['min'], 'multiple_choice': lambda: question['options'][0]['key']}
        return kinds[question['answer_type']]()

    def prepare(self, parent):
        paths, birth = [], born()
        answers = [{'question_id': question['id'], 'response': self.answer(question)} for question in self.questions]
        for number in range(self.each):
            child = parent.child(name=f'김완료{number}', birth_date=birth, gestational_weeks=40)
            path = f'{ASSESSMENTS}/' + parent.client.post(ASSESSMENTS, {'child_id': child['id']}).expect(201).data['id']
            parent.client.post(f'{path}/responses', {'responses': answers}).expect(200)
            paths.append(f'{path}/complete')
        return paths

    def streams(self, seconds):
        """Each attempt is completed once, by its parent."""
        each = -(-RATE * (seconds + openloop.SETTLE + 1) // PARENTS)
        begin, self.taken = self.taken, self.taken + each
        for parent, paths in zip(self.parents, self.paths):
            assert len(paths) >= self.taken, 'too few attempts were prepared'
            yield Stream('complete', RATE / PARENTS, 1, paths[begin:self.taken], (f'authorization: Bearer {parent.token}',), 'POST', '{}')

    def take(self, count):
        """So many of the first parent's."""
        begin, self.taken = self.taken, self.taken + count
        assert len(self.paths[0]) >= self.taken, 'too few attempts were prepared'
        return self.paths[0][begin:self.taken]


def reading(crowd):
    """500 reads a second of what everybody reads."""
    token = (f'authorization: Bearer {crowd.parents[0].token}',)
    return [Stream('lists', READS * 0.6, 4, crowd.lists()), Stream('details', READS * 0.2, 2, crowd.watched()),
            Stream('children', READS * 0.2, 2, ['/api/v1/children'], token)]


def commits(system, script, seconds):
    """Starts pgbench with one client at the rate of the completions; gives a function that waits for the milliseconds of each commit."""
    directory = tempfile.TemporaryDirectory()  # pylint: disable=consider-using-with
    process = subprocess.Popen([gauge.PGBENCH, '-n', '-M', 'prepared', '-c', '1', '-T', str(seconds), '-R', str(RATE), '-f', script, '-l',
                                f'--log-prefix={directory.name}/log', system.database_url], stdout=subprocess.DEVNULL)

    def finish():
        assert process.wait(seconds + gauge.PATIENCE) == 0
        times = []
        for path in glob.glob(f'{directory.name}/log*'):
            with open(path, encoding='ascii') as file:
                # latency and, with -R, how late it began: the statement's own time is what is left
                times += [(int(words[2]) - int(words[6])) / 1000 for words in map(str.split, file)]
        directory.cleanup()
        return times
    return finish


def first_looks(attempts, count):
    """Milliseconds in which an attempt is completed and what is recommended by it is shown, one after the other."""
    times, parent = [], attempts.parents[0]
    for path in attempts.take(count):
        began = time.monotonic()
        child = parent.client.post(path).expect(200).data['child_id']
        shown = parent.client.get(RECOMMENDED, query={'child_id': child}).expect(200).data
        times.append(1000 * (time.monotonic() - began))
        assert {row['assessment_id'] for row in shown} == {path.split('/')[-2]}, 'what is recommended is by the attempt'
    return times


def as_superuser(system, *commands):
    given = ' '.join(f'-c "{command}"' for command in commands)
    system.services(f'as_postgres psql -q -o /dev/null -U postgres -h "$services_home/postgres" -p "$POSTGRES_PORT" {given} aipoten')


def slower_flush(system, microseconds):
    """PostgreSQL waits so long before each flush of its log: what a disk takes that keeps its word."""
    as_superuser(system, 'ALTER SYSTEM SET commit_siblings = 0', f'ALTER SYSTEM SET commit_delay = {microseconds}', 'SELECT pg_reload_conf()')


def digest(system):
    """As PostgreSQL is after some minutes of service: it has dealt with what the preparation wrote in seconds, and has files of its log to
    use again. Else autovacuum does the one beside the rounds, and who commits makes each new file of 16 MB meanwhile, which takes 30 to
    50 ms."""
    as_superuser(system, 'VACUUM ANALYZE', 'CHECKPOINT')


def completion_rounds(bench, attempts, script, work):
    """Attempts that are completed beside reads, to a commit beside the same reads."""
    system, report, seconds = bench.system, bench.report, bench.options.seconds * 2
    crowd, base = mixed.Crowd(bench), f'https://127.0.0.1:{system.https_port}'
    slower, reads_slower, bad, missing = [], [], 0, 0
    for number in range(bench.options.rounds):
        finish = commits(system, script, seconds + openloop.SETTLE)
        alone = openloop.run(base, reading(crowd), seconds)
        commit = finish()
        beside = openloop.run(base, [*reading(crowd), *attempts.streams(seconds)], seconds)
        completing = beside.latencies.pop('complete')
        before, after = (gauge.percentile(openloop.together(each), 0.99) for each in (alone, beside))
        slower.append(gauge.percentile(completing, 0.99) / gauge.percentile(commit, 0.99))
        reads_slower.append(after / before)
        bad, missing = bad + alone.bad + beside.bad, missing + alone.missing + beside.missing
        report.say(f'  round {number + 1}: complete {openloop.words(completing)}; a commit {openloop.words(commit)}; ratio {slower[-1]:.2f}; '
                   f'reads p99 {before:.2f} -> {after:.2f} ms; {alone.bad + beside.bad} bad')
    report.figure(work, "a completion's p99 to that of one commit", slower, NOT_MORE, most=True, unit=' x', bad=bad, missing=missing)
    report.figure(work, 'p99 of the reads to without completions', reads_slower, 2, most=True, unit=' x', bad=bad, missing=missing)


def completions(bench):
    system, report, seconds = bench.system, bench.report, bench.options.seconds * 2
    began = time.monotonic()
    attempts = Attempts(system, 2 * RATE * (seconds + openloop.SETTLE + 2) * bench.options.rounds + LOOKS)
    report.say(f'{sum(map(len, attempts.paths))} attempts of {len(attempts.questions)} answers prepared in {time.monotonic() - began:.0f} s')
    digest(system)
    work = f'{RATE} completions/s beside {READS} reads/s'
    with tempfile.NamedTemporaryFile('w', suffix='.sql') as script:
        script.write(bare_insert(attempts.parents))
        script.flush()
        completion_rounds(bench, attempts, script.name, work)
        report.say(f'complete, and then what is recommended, in turn: {openloop.words(first_looks(attempts, LOOKS))}')
        slower_flush(system, FLUSH)
        completion_rounds(bench, attempts, script.name, f'{work}, a flush {FLUSH / 1000:g} ms longer')
        slower_flush(system, 0)


def recommended(bench):
    """Of a child whose attempt was completed."""
    attempts = Attempts(bench.system, 1)
    parent, path = attempts.parents[0], attempts.paths[0][0]
    child = parent.client.post(path, {}).expect(200).data['child_id']
    reads.beside_bare(bench, 'recommended, TLS, shared memory', f'{RECOMMENDED}?child_id={child}',
                      {'authorization': f'Bearer {parent.token}'}, 1.6)


def run(bench):
    reads.beside_bare(bench, 'questions, TLS', QUESTIONS, {}, 1.35, 0.80)
    recommended(bench)
    completions(bench)
