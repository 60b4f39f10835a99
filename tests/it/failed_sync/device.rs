//! A disk that fails where nothing was written before, like one that promises more space than it has (thin
//! provisioning).
//!
//! It is an ext4 in an image behind a loop device. The image is on a tmpfs that is exactly as large as its content.
//! Where a block of the image is removed (a hole), the device fails to write it, and works again when the tmpfs may
//! grow. Only free blocks are removed, and none of the journal. So data is lost and the file system continues, which is
//! the worst case.

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{FallocateFlags, fallocate};
use tempfile::TempDir;

const IMAGE_BYTES: usize = 24 << 20;
const BLOCK_BYTES: usize = 4096;

/// A device, and the file system on it. Dropping it detaches both.
pub(super) struct Device {
    directory: TempDir,
    mounted: Mounted,
    /// The blocks of the file system's journal.
    journal: Vec<u64>,
}

/// A mounted image.
struct Mounted {
    at: PathBuf,
    device: String,
}

impl Mounted {
    fn new(image: &Path, at: &Path) -> Result<Self, String> {
        fs::create_dir_all(at).unwrap();
        let found = run(Command::new("losetup").args(["-f", "--show"]).arg(image))?;
        let device = found.trim().to_owned();
        let mounted = Self {
            at: at.to_owned(),
            device,
        };
        // The kernel's loop device silently takes a short write for a complete one. So every write is one
        // block.
        let name = mounted.device.trim_start_matches("/dev/");
        for (what, value) in [("max_sectors_kb", "4"), ("nomerges", "2")] {
            fs::write(format!("/sys/block/{name}/queue/{what}"), value)
                .map_err(|error| format!("/sys/block: {error}"))?;
        }
        let options = ["-t", "ext4", "-o", "nodiscard"];
        run(Command::new("mount")
            .args(options)
            .args([&mounted.device])
            .arg(at))?;
        Ok(mounted)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = run(Command::new("umount").arg("-l").arg(&self.at));
        let _ = run(Command::new("losetup").args(["-d", &self.device]));
    }
}

impl Device {
    /// A device that works; or why there can be none.
    pub(super) fn new() -> Result<Self, String> {
        for tool in ["mkfs.ext4", "debugfs", "losetup", "mount", "python3"] {
            let found = Command::new(tool)
                .arg("-V")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            if found.is_err() {
                return Err(format!(
                    "there is no {tool} (packages e2fsprogs, mount, python3)"
                ));
            }
        }
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("below");
        fs::create_dir(&below).unwrap();
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64m", "bayplan-test"])
            .arg(&below))?;
        match Self::on(&directory) {
            Ok((mounted, journal)) => Ok(Self {
                directory,
                mounted,
                journal,
            }),
            Err(why) => {
                let _ = run(Command::new("umount").arg("-l").arg(&below));
                Err(why)
            }
        }
    }

    fn on(directory: &TempDir) -> Result<(Mounted, Vec<u64>), String> {
        let image = image(directory.path());
        fs::write(&image, vec![0; IMAGE_BYTES]).unwrap();
        let options = [
            "-q",
            "-F",
            "-b",
            "4096",
            "-E",
            "nodiscard,lazy_itable_init=0",
        ];
        run(Command::new("mkfs.ext4").args(options).arg(&image))?;
        // It leaves holes for zeros, even in the journal.
        let bytes = fs::read(&image).unwrap();
        fs::write(&image, bytes).unwrap();
        let journal = run(Command::new("debugfs")
            .args(["-R", "blocks <8>"])
            .arg(&image))?
        .split_whitespace()
        .map(|number| number.parse().unwrap())
        .collect::<Vec<u64>>();
        assert!(journal.len() > 500, "the journal is {journal:?}");
        let mounted = Mounted::new(&image, &directory.path().join("disk"))?;
        Ok((mounted, journal))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.mounted.at.join(name)
    }

    fn resize(&self, bytes: u64) {
        run(Command::new("mount")
            .args(["-o", &format!("remount,size={bytes}")])
            .arg(self.directory.path().join("below")))
        .unwrap();
    }

    /// From now on, what is written to an empty block is lost.
    pub(super) fn fail(&self) {
        run(Command::new("sync").arg("-f").arg(&self.mounted.at)).unwrap();
        let image = image(self.directory.path());
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&image)
            .unwrap();
        let bytes = fs::read(&image).unwrap();
        for (number, block) in bytes.chunks(BLOCK_BYTES).enumerate() {
            let number = number as u64;
            if block.iter().all(|byte| *byte == 0) && !self.journal.contains(&number) {
                let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                let at = number * BLOCK_BYTES as u64;
                fallocate(&file, flags, at, BLOCK_BYTES as u64).unwrap();
            }
        }
        self.resize(file.metadata().unwrap().blocks() * 512);
    }

    /// It takes all writes again.
    pub(super) fn heal(&self) {
        self.resize(64 << 20);
    }

    /// Returns what a machine finds after it is switched off now and on again.
    pub(super) fn after_a_power_cut(&self) -> AfterPowerCut {
        let directory = tempfile::tempdir().unwrap();
        let copy = image(directory.path());
        fs::copy(image(self.directory.path()), &copy).unwrap();
        let mounted = Mounted::new(&copy, &directory.path().join("disk")).unwrap();
        AfterPowerCut {
            mounted,
            _directory: directory,
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.heal();
        let below = self.directory.path().join("below");
        let _ = run(Command::new("umount").arg("-l").arg(&self.mounted.at));
        let _ = run(Command::new("umount").arg("-l").arg(below));
    }
}

/// The disk of a machine that was switched off.
pub(super) struct AfterPowerCut {
    mounted: Mounted,
    _directory: TempDir,
}

impl AfterPowerCut {
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.mounted.at.join(name)
    }
}

fn image(directory: &Path) -> PathBuf {
    let below = directory.join("below");
    match below.is_dir() {
        true => below.join("image"),
        false => directory.join("image"),
    }
}

/// What it prints; or what went wrong.
fn run(command: &mut Command) -> Result<String, String> {
    let done = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
        false => Err(format!(
            "{command:?}: {}",
            String::from_utf8_lossy(&done.stderr).trim()
        )),
    }
}

/// Another process that has a file mapped, so that its pages stay in memory.
pub(super) struct Mapped(std::process::Child);

impl Mapped {
    pub(super) fn of(path: &Path) -> Self {
        let program = "import mmap, sys\n\
                       file = open(sys.argv[1], 'rb')\n\
                       pages = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)\n\
                       sum(pages[::4096])\n\
                       print('mapped', flush=True)\n\
                       sys.stdin.read()";
        let mut child = Command::new("python3")
            .args(["-c", program])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = [0; 6];
        let out = child.stdout.as_mut().unwrap();
        out.read_exact(&mut told).unwrap();
        assert_eq!(&told, b"mapped");
        Self(child)
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
