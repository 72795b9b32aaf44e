"""SLURM on the loopback interface, from Debian's packages: two cores, two GPUs that are files, with accounting.

Everything lies in one folder and is ended with it; nothing but the packages themselves (`PACKAGES`) is needed of the
system, and no other port than those of 127.0.0.1. Needs root, as the daemons change their users.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

PACKAGES = "slurmctld slurmd slurmdbd slurm-client munge mariadb-server"
PROGRAMS = ("munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sacctmgr")
PASSWORD = "loopback-only"
SITE = Path("/etc/slurm/slurm.conf")
"""Where commands look for the configuration; jobs of Snakemake lose the variable that could name another place."""
PREFIX = "slurm-"
"""Of the names of the folders in which tests start it."""
STARTER = "started-by.pid"
"""File with the number of the process that has started it."""
UP = (["idle"], ["mix"], ["alloc"])
"""States of a node that takes jobs."""

SLURM = """
ClusterName=loop
SlurmctldHost={host}(127.0.0.1)
SlurmUser=slurm
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
SlurmctldPort=16817
SlurmdPort=16818
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmctldTimeout=60
SlurmdTimeout=30
KillWait=5
MinJobAge=36000
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=16819
AccountingStoragePass={folder}/munge/socket
AccountingStorageTRES=gres/gpu
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 Boards=1 SocketsPerBoard=1 CoresPerSocket=2 ThreadsPerCore=1 \
RealMemory={memory} Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES DefaultTime=60 MaxTime=1-0 PriorityTier=1 State=UP
PartitionName=urgent Nodes={host} PriorityTier=10 MaxTime=1-0 State=UP
"""

DATABASE = """
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=16819
SlurmUser=slurm
PidFile={folder}/slurmdbd.pid
LogFile={folder}/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=13306
StorageUser=slurm
StoragePass={password}
StorageLoc=slurm_acct_db
CommunicationParameters=NoInAddrAny
"""


def missing() -> str:
    """What keeps SLURM from being started here, in words; empty if nothing does."""
    if os.name != "posix" or os.geteuid() != 0:
        return "needs root"
    if SITE.exists() and not _is_left_behind():
        return f"{SITE} exists: this machine has a SLURM of its own"
    absent = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    return f"no {absent[0]}; apt-get install --no-install-recommends {PACKAGES}" if absent else ""


def _is_left_behind() -> bool:
    """Whether the system's configuration is the link of tests that were killed before they could remove it."""
    if not SITE.is_symlink():
        return False
    try:
        return not Path(f"/proc/{int((SITE.resolve().parent / STARTER).read_text())}").exists()
    except OSError:
        return SITE.resolve().parent.name.startswith(PREFIX)


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin"


class LocalSlurm:
    """A running SLURM.

    Attributes:
        folder: with configuration, logs and spool of all daemons.
        environment: in which its commands, and what submits to it, must run.
    """

    def __init__(self, folder: Path, memory: int = 12_000) -> None:
        """Start it in a new folder, with so many MB of memory on its node."""
        self.folder = folder
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SLURM")},
            "PATH": _path(),
            "SLURM_CONF": str(folder / "slurm.conf"),
        }
        for name in ("state", "spool", "munge", "devices", "database"):
            (folder / name).mkdir(parents=True)
        folder.chmod(0o755)  # munged and mariadbd change their user
        values = {
            "folder": folder,
            "host": os.uname().nodename.partition(".")[0],
            "memory": memory,
            "password": PASSWORD,
        }
        (folder / "slurm.conf").write_text(SLURM.format(**values))
        (folder / "slurmdbd.conf").write_text(DATABASE.format(**values))
        (folder / "slurmdbd.conf").chmod(0o600)
        for owned in (folder, folder / "state", folder / "slurmdbd.conf"):
            shutil.chown(owned, "slurm", "slurm")
        for number in (0, 1):  # all that SLURM asks of a GPU is a device; this one swallows everything, as /dev/null
            os.mknod(folder / f"devices/gpu{number}", 0o20666, os.makedev(1, 3))
        (folder / "gres.conf").write_text(f"NodeName={values['host']} Name=gpu File={folder}/devices/gpu[0-1]\n")
        SITE.parent.mkdir(parents=True, exist_ok=True)
        (folder / STARTER).write_text(str(os.getpid()))
        if _is_left_behind():
            SITE.unlink()
        SITE.symlink_to(folder / "slurm.conf")
        try:
            self._start_all()
        except BaseException:
            self.stop()
            raise

    def _start_all(self) -> None:
        self._start_munge()
        self._start_database()
        self._start("slurmdbd", "-D")
        self._wait("accounting", lambda: self.call("sacctmgr", "-n", "show", "cluster", check=False).returncode == 0)
        self.call("sacctmgr", "-i", "add", "cluster", "loop", check=False)
        self.call("sacctmgr", "-i", "add", "account", "lab", "Description=lab", "Organization=lab", check=False)
        self.call("sacctmgr", "-i", "add", "user", "root", "account=lab", check=False)
        self._start("slurmctld", "-D", "-i")
        self.start_node()

    def start_node(self) -> None:
        """Start the daemon of the node, and wait until the node takes jobs."""
        self._start("slurmd", "-D")
        self._wait("node", lambda: self.call("sinfo", "-h", "-o", "%t").stdout.split()[:1] in UP)

    def kill_node(self) -> None:
        """Kill the daemon of the node and all that it runs, as when a machine loses its power."""
        daemon = self._daemons.pop("slurmd")
        roots = [daemon.pid, *self._steps()]
        for pid in [*roots, *(below for root in roots for below in _descendants(root))]:
            _signal(pid, signal.SIGKILL)
        daemon.wait()

    def call(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one of SLURM's commands."""
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=check)

    def jobs(self) -> list[dict[str, str]]:
        """Every job that the controller knows: JobId, JobName, JobState, StartTime, EndTime, TRES and all else."""
        found = []
        for line in self.call("scontrol", "-o", "show", "jobs", check=False).stdout.splitlines():
            words = [word.partition("=") for word in line.split() if "=" in word]
            found.append({name: value for name, _, value in words})
        return [job for job in found if "JobId" in job]

    def stop(self) -> None:
        """End every job and every daemon."""
        try:
            self._stop_all()
        finally:
            SITE.unlink(missing_ok=True)

    def _stop_all(self) -> None:
        if "slurmctld" in self._daemons:
            self.call("scancel", "--user=root", check=False)
            time.sleep(2)
        steps = self._steps()
        for name in reversed(list(self._daemons)):
            daemon = self._daemons.pop(name)
            daemon.terminate()
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        for pid in steps:
            _signal(pid, signal.SIGKILL)

    def _start(self, name: str, *options: str) -> None:
        with open(self.folder / f"{name}.out", "ab") as log:
            command = [shutil.which(name, path=_path()) or name, *options]
            self._daemons[name] = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)

    def _start_munge(self) -> None:
        folder = self.folder / "munge"
        (folder / "key").write_bytes(os.urandom(128))
        for path in (folder, folder / "key"):
            shutil.chown(path, "munge", "munge")
        (folder / "key").chmod(0o400)
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        options = [f"--{option}={folder / name}" for option, name in files.items()]
        command = ["setpriv", "--reuid=munge", "--regid=munge", "--clear-groups", "munged", "--foreground", "--force"]
        with open(self.folder / "munged.out", "ab") as log:
            self._daemons["munged"] = subprocess.Popen(
                [*command, *options], env=self.environment, stdout=log, stderr=log
            )
        self._wait("munge", (folder / "socket").exists)

    def _start_database(self) -> None:
        folder = self.folder / "database"
        shutil.chown(folder, "mysql", "mysql")
        where = ["--no-defaults", f"--datadir={folder}/data", "--user=mysql"]
        with open(self.folder / "mariadb.out", "ab") as log:
            install = ["mariadb-install-db", *where, "--skip-test-db", "--auth-root-authentication-method=normal"]
            subprocess.run(install, env=self.environment, stdout=log, stderr=log, check=True)
            options = [*where, f"--socket={folder}/socket", f"--pid-file={folder}/pid", "--port=13306"]
            options += ["--bind-address=127.0.0.1", "--innodb-lock-wait-timeout=900", "--innodb-buffer-pool-size=64M"]
            command = [shutil.which("mariadbd", path=_path()) or "mariadbd", *options]
            self._daemons["mariadbd"] = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        client = ["mariadb", "--no-defaults", f"--socket={folder}/socket", "--user=root", "-e"]
        self._wait("database", lambda: self.call(*client, "select 1", check=False).returncode == 0)
        self.call(
            *client,
            "create database slurm_acct_db; "
            f"create user slurm@'127.0.0.1' identified by '{PASSWORD}'; "
            f"create user slurm@localhost identified by '{PASSWORD}'; "
            "grant all on slurm_acct_db.* to slurm@'127.0.0.1'; grant all on slurm_acct_db.* to slurm@localhost",
        )

    def _steps(self) -> list[int]:
        """Processes of this SLURM that watch over jobs, which outlive the daemon that started them."""
        return [pid for pid, line in processes() if line.startswith("slurmstepd:")]

    def _wait(self, what: str, is_there: Callable[[], bool], seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while not is_there():
            ended = [name for name, daemon in self._daemons.items() if daemon.poll() is not None]
            if ended or time.monotonic() > deadline:
                logs = "\n".join(path.read_text(errors="replace")[-1500:] for path in self.folder.glob("*.out"))
                raise RuntimeError(f"SLURM: no {what}; ended: {ended}\n{logs}")
            time.sleep(0.5)


def processes() -> list[tuple[int, str]]:
    """Number and command line of every process."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found.append((int(entry.name), (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()))
            except OSError:
                continue
    return found


def _descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        todo += (below := children.get(todo.pop(), []))
        found += below
    return found


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
