//! A backup as it is kept: a folder, or one file of it (tar, or tar with gzip). Configuration and keys come first in it, then what the
//! server tells, then what is in it.
//!
//! | killed here | after it |
//! |---|---|
//! | while it is written | `NAME.partial` lies there, and is removed by the next backup of that name; an older one is as it was |
//! | older folder renamed | it is called `NAME.old`; the new one `NAME.partial`, whole |
//! | new one renamed | it is there, whole; `NAME.old` perhaps too |

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::Archive;

use crate::BackupError;
use crate::disk;
use crate::extra::Extra;
use crate::manifest::{self, Item, MANIFEST, Manifest, Part};
use crate::name;
use crate::pack::{self, Packer, Shape};

/// What becomes of a backup that is at the place already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Older {
    /// It stays, and there is no new one.
    Kept,
    /// It goes once the new one is whole.
    Replaced,
}

/// Where a backup is to be.
#[derive(Debug, Clone, Copy)]
pub struct Destination<'a> {
    /// A file if it is called `….tar`, `….tar.gz` or `….tgz`, else a folder.
    pub path: &'a Path,
    /// What becomes of a backup that is there.
    pub older: Older,
}

/// Where a configuration is in a backup.
pub const CONFIG: &str = "config/sekisho.toml";

/// Keeps what the server tells, with more. `told` hears how many octets there are so far. Blocks.
pub fn keep(
    stream: impl Read,
    to: Destination<'_>,
    extra: &Extra,
    told: impl FnMut(u64),
) -> Result<Manifest, BackupError> {
    to.refuse()?;
    let to = to.path;
    let form = Form::of(to);
    let partial = beside(to, "partial");
    clear(&partial)?;
    let kept = Sink::open(&partial, form).and_then(|sink| fill(sink, stream, extra, told));
    let manifest = kept.inspect_err(|_| drop(disk::remove(&partial)))?;
    if let Form::Folder = form {
        let old = beside(to, "old");
        if disk::is_there(to) {
            clear(&old)?;
            disk::put(to, &old)?;
        }
        keep::rename(&partial, to)?;
        clear(&old)?;
    } else {
        keep::rename(&partial, to)?;
    }
    Ok(manifest)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Folder,
    Tar,
    Gzip,
}

impl Form {
    fn of(path: &Path) -> Self {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let ends = |end: &str| name.len() > end.len() && name.ends_with(end);
        if ends(".tar.gz") || ends(".tgz") {
            Self::Gzip
        } else if ends(".tar") {
            Self::Tar
        } else {
            Self::Folder
        }
    }
}

impl Destination<'_> {
    /// What is there must be told to be replaced, and be a backup.
    pub(crate) fn refuse(self) -> Result<(), BackupError> {
        let Self { path, older } = self;
        let is_folder = Form::of(path) == Form::Folder;
        let Ok(there) = fs::symlink_metadata(path) else { return Ok(()) };
        if there.is_dir() && is_folder && disk::entries(path)?.is_empty() {
            return Ok(());
        }
        if there.is_dir() != is_folder || (there.is_dir() && !path.join(MANIFEST).is_file()) {
            return Err(BackupError::Foreign(path.to_owned()));
        }
        if older == Older::Replaced { Ok(()) } else { Err(BackupError::Exists(path.to_owned())) }
    }
}

/// Removes what an earlier backup left; what looks like anything else is somebody's.
fn clear(path: &Path) -> Result<(), BackupError> {
    if path.is_dir() && !path.join(CONFIG).is_file() && !disk::entries(path)?.is_empty() {
        return Err(BackupError::Foreign(path.to_owned()));
    }
    disk::remove(path)
}

fn beside(path: &Path, word: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{word}"));
    name.into()
}

/// Takes all in: what is more, what the server tells, what is in it.
fn fill(mut sink: Sink, stream: impl Read, extra: &Extra, mut told: impl FnMut(u64)) -> Result<Manifest, BackupError> {
    let mut own = vec![(CONFIG.to_owned(), extra.config.1.as_slice())];
    own.extend(extra.keys.iter().map(|(name, octets)| (format!("keys/{name}"), octets.as_slice())));
    let mut items = Vec::new();
    for (name, octets) in own {
        items.push(sink.octets(&name, octets)?);
    }
    let own = items.len();
    let broken_off = |why: String| BackupError::BrokenOff(why);
    let mut archive = Archive::new(stream);
    let entries = archive.entries().map_err(|error| broken_off(error.to_string()))?;
    let mut manifest = None;
    let mut octets = 0;
    for entry in entries {
        let mut entry = entry.map_err(|error| broken_off(error.to_string()))?;
        let name = entry_name(&entry).ok_or_else(|| broken_off("a name in it is none".to_owned()))?;
        if name == MANIFEST {
            manifest = Some(read_manifest(&mut entry).map_err(|error| broken_off(error.to_string()))?);
            break;
        }
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            items.push(sink.folder(&name)?);
        } else {
            items.push(sink.file(&name, shape_of(&entry), &mut entry)?);
        }
        octets += items.last().map_or(0, |item| item.octets);
        told(octets);
    }
    let octets = manifest.ok_or_else(|| broken_off("it has no end".to_owned()))?;
    let mut manifest = Manifest::parse(&octets, Path::new(MANIFEST))?;
    if manifest.files != items[own..] {
        return Err(broken_off("its files are not those that were sent".to_owned()));
    }
    manifest.files = items;
    manifest.config = extra.config.0.display().to_string();
    manifest.sets.clone_from(&extra.sets);
    manifest.left_out.clone_from(&extra.left_out);
    manifest.parts.push(Part::Configuration);
    if !extra.keys.is_empty() {
        manifest.parts.push(Part::Keys);
    }
    sink.end(&manifest)?;
    Ok(manifest)
}

/// A name as it stands in an archive; `None` if it is none, or no file or folder.
pub(crate) fn entry_name(entry: &tar::Entry<'_, impl Read>) -> Option<String> {
    let kind = entry.header().entry_type();
    let octets = entry.path_bytes();
    let name = std::str::from_utf8(&octets).ok()?;
    let name = if kind.is_dir() { name.trim_end_matches('/') } else { name };
    let known = kind.is_file() || kind.is_dir();
    (known && name::path(name).is_some()).then(|| name.to_owned())
}

pub(crate) fn shape_of(entry: &tar::Entry<'_, impl Read>) -> Shape {
    Shape { octets: entry.size(), modified: entry.header().mtime().unwrap_or(0) }
}

pub(crate) fn read_manifest(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    from.take(manifest::OCTETS_MAX).read_to_end(&mut octets)?;
    Ok(octets)
}

/// A file of a backup or of a server, with the time that it had.
pub(crate) fn write_file(path: &Path, name: &str, shape: Shape, from: impl Read) -> Result<Item, BackupError> {
    if let Some(folder) = path.parent() {
        disk::make_dir(folder)?;
    }
    let file = disk::new_file(path)?;
    let mut to = BufWriter::new(file);
    let written = pack::copy(name, from, &mut to).and_then(|item| {
        let file = to.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.set_modified(UNIX_EPOCH + Duration::from_secs(shape.modified))?;
        Ok(item)
    });
    written.map_err(BackupError::at(path, "writing"))
}

/// Where it is kept.
enum Sink {
    Folder(PathBuf),
    Archive(PathBuf, Box<Packer<Out>>),
}

enum Out {
    Plain(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
}

impl Write for Out {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(to) => to.write(octets),
            Self::Gzip(to) => to.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(to) => to.flush(),
            Self::Gzip(to) => to.flush(),
        }
    }
}

impl Out {
    fn end(self) -> io::Result<()> {
        let to = match self {
            Self::Plain(to) => to,
            Self::Gzip(to) => to.finish()?,
        };
        to.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

impl Sink {
    fn open(path: &Path, form: Form) -> Result<Self, BackupError> {
        if form == Form::Folder {
            disk::make_dir(path)?;
            return Ok(Self::Folder(path.to_owned()));
        }
        let file = BufWriter::new(disk::new_file(path)?);
        let out = match form {
            Form::Gzip => Out::Gzip(GzEncoder::new(file, Compression::fast())),
            _ => Out::Plain(file),
        };
        Ok(Self::Archive(path.to_owned(), Box::new(Packer::new(out))))
    }

    fn octets(&mut self, name: &str, octets: &[u8]) -> Result<Item, BackupError> {
        self.file(name, Shape::now(octets.len() as u64), octets)
    }

    fn file(&mut self, name: &str, shape: Shape, from: impl Read) -> Result<Item, BackupError> {
        match self {
            Self::Folder(dir) => write_file(&dir.join(name), name, shape, from),
            Self::Archive(path, packer) => {
                packer.file(name, shape, from).map_err(BackupError::at(path, "writing"))?;
                Ok(packer.items().remove(0))
            }
        }
    }

    fn folder(&mut self, name: &str) -> Result<Item, BackupError> {
        match self {
            Self::Folder(dir) => disk::make_dir(&dir.join(name))?,
            Self::Archive(path, packer) => {
                packer.folder(name).map_err(BackupError::at(path, "writing"))?;
                packer.items();
            }
        }
        Ok(Item { name: name.to_owned(), octets: 0, sha256: None })
    }

    /// Durable when it returns.
    fn end(mut self, manifest: &Manifest) -> Result<(), BackupError> {
        self.octets(MANIFEST, &manifest.octets())?;
        match self {
            Self::Folder(dir) => disk::sync_all_of(&dir),
            Self::Archive(path, packer) => packer.end().and_then(Out::end).map_err(BackupError::at(&path, "writing")),
        }
    }
}
