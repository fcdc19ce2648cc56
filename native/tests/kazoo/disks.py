"""Disks that lose their power: ext4 in an image file, mounted by a loop device. A copy of the image while it is mounted
holds what a real disk would hold after a power cut: what was not synced is not in it."""

import ctypes
import os
import pathlib
import shutil
import subprocess
import time

SIZE = 256 << 20
# So many seconds a disk may be in use after its servers were killed.
BUSY = 20.0
CLONE_NEWNS = 0x00020000


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}".strip())


def own_mounts():
    """From now on this process sees its own mounts: they are gone, and their loop devices with them, when it ends
    however it ends. An OSError if it may not."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "may not have mounts of its own")
    run("mount", "--make-rprivate", "/")


def why_not(folder):
    """Why no disk can be made and mounted there; nothing if it can be."""
    try:
        own_mounts()
        Disk(folder, "probe").make().remove()
    except OSError as error:
        return f"no file system can be mounted from an image file here, which needs root and loop devices: {error}"
    return None


def fast_folder(parent):
    """Where images lie: in memory if there is room, so that syncing them costs as little as a test can afford."""
    memory = pathlib.Path("/dev/shm")
    if memory.is_dir() and shutil.disk_usage(memory).free > 16 * SIZE:
        return memory
    return pathlib.Path(parent or "/tmp")


class Disk:
    """One disk: an image file and the folder at which it is mounted."""

    def __init__(self, folder, name):
        self.image = pathlib.Path(folder) / f"{name}.img"
        self.folder = pathlib.Path(folder) / name

    def make(self):
        """An empty one. Nothing on it becomes durable just because time passes: the journal is committed only when
        somebody syncs."""
        with open(self.image, "wb") as image:
            image.truncate(SIZE)
        # The inode tables are written at once, not by the kernel later on.
        run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)
        return self.mount()

    def mount(self):
        self.folder.mkdir(exist_ok=True)
        run("mount", "-t", "ext4", "-o", "loop,noatime,commit=300", self.image, self.folder)
        return self

    def cut(self, folder, name):
        """What the disk holds if its power fails now, as a disk of its own. Nobody may write to it meanwhile; should
        the kernel do so, the copy is made again."""
        after = Disk(folder, name)
        again = after.image.with_suffix(".again")
        for _ in range(100):
            run("cp", "--sparse=always", self.image, after.image)
            run("cp", "--sparse=always", self.image, again)
            same = subprocess.run(["cmp", "-s", after.image, again], check=False).returncode == 0
            again.unlink()
            if same:
                return after
        raise AssertionError(f"{self.image} never stands still")

    def remove(self):
        # A process that makes a snapshot is killed with its server, but ends a moment later.
        deadline = time.monotonic() + BUSY
        while os.path.ismount(self.folder):
            try:
                run("umount", self.folder)
            except OSError as error:
                if "busy" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        self.image.unlink(missing_ok=True)
        if self.folder.exists():
            self.folder.rmdir()
