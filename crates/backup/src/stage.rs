//! A backup is read into a folder, and every file of it is seen to be what was written. Nothing else is touched.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read, Seek as _};
use std::path::Path;

use flate2::read::GzDecoder;
use tar::Archive;

use crate::BackupError;
use crate::disk;
use crate::manifest::{Item, MANIFEST, Manifest};
use crate::name;
use crate::pack::Shape;
use crate::store::{CONFIG, entry_name, read_manifest, shape_of, write_file};

/// Octets of a configuration.
const CONFIG_OCTETS_MAX: u64 = 16 << 20;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The configuration of a backup alone.
pub fn config(from: &Path) -> Result<String, BackupError> {
    let text = if from.is_dir() {
        let path = from.join(CONFIG);
        keep::read(&path, CONFIG_OCTETS_MAX, keep::Accepts::RegularFile).map_err(BackupError::at(&path, "reading"))?
    } else {
        let mut archive = Archive::new(open(from)?);
        let damaged = |error: std::io::Error| damaged(from, "its beginning", &error.to_string());
        // It is the first in it.
        let first = archive.entries().map_err(damaged)?.next().transpose().map_err(damaged)?;
        let Some(first) = first.filter(|entry| entry_name(entry).as_deref() == Some(CONFIG)) else {
            return Err(BackupError::Damaged {
                backup: from.to_owned(),
                file: "its beginning".to_owned(),
                why: "it is no backup".to_owned(),
            });
        };
        let mut text = Vec::new();
        first.take(CONFIG_OCTETS_MAX).read_to_end(&mut text).map_err(damaged)?;
        text
    };
    String::from_utf8(text).map_err(|_| damaged(from, CONFIG, "it is no text"))
}

fn damaged(backup: &Path, file: &str, why: &str) -> BackupError {
    BackupError::Damaged { backup: backup.to_owned(), file: file.to_owned(), why: why.to_owned() }
}

/// Puts all files of a backup below a folder, under the names that they have there, and compares each with its sum. `told` hears
/// how many octets there are so far.
pub(crate) fn stage(from: &Path, dir: &Path, told: impl FnMut(u64)) -> Result<Manifest, BackupError> {
    disk::make_dir(dir)?;
    if from.is_dir() { of_folder(from, dir, told) } else { of_archive(from, dir, told) }
}

fn of_folder(from: &Path, dir: &Path, mut told: impl FnMut(u64)) -> Result<Manifest, BackupError> {
    let path = from.join(MANIFEST);
    let mut file = File::open(&path).map_err(BackupError::at(&path, "opening"))?;
    let octets = read_manifest(&mut file).map_err(BackupError::at(&path, "reading"))?;
    let manifest = Manifest::parse(&octets, from)?;
    let mut octets = 0;
    for item in &manifest.files {
        let path = from.join(&item.name);
        let Some(to) = name::path(&item.name).map(|below| dir.join(below)) else { continue };
        if item.sha256.is_none() {
            disk::make_dir(&to)?;
            continue;
        }
        let is_file = fs::symlink_metadata(&path).map(|there| there.is_file());
        if !is_file.map_err(|error| damaged(from, &item.name, &error.to_string()))? {
            return Err(damaged(from, &item.name, "it is no file"));
        }
        let file = File::open(&path).map_err(BackupError::at(&path, "opening"))?;
        let shape = Shape::of(&file.metadata().map_err(BackupError::at(&path, "looking at"))?);
        compare(from, item, &write_file(&to, &item.name, shape, file)?)?;
        octets += item.octets;
        told(octets);
    }
    Ok(manifest)
}

fn of_archive(from: &Path, dir: &Path, mut told: impl FnMut(u64)) -> Result<Manifest, BackupError> {
    let mut archive = Archive::new(open(from)?);
    let broken = |after: &str, error: &std::io::Error| {
        damaged(from, after, &format!("what comes after it cannot be read: {error}"))
    };
    let (mut found, mut last, mut octets) = (BTreeMap::new(), "its beginning".to_owned(), 0);
    for entry in archive.entries().map_err(|error| broken(&last, &error))? {
        let mut entry = entry.map_err(|error| broken(&last, &error))?;
        let Some((name, below)) = entry_name(&entry).and_then(|name| Some((name.clone(), name::path(&name)?))) else {
            return Err(damaged(from, &last, "what comes after it is no file of a backup"));
        };
        if name == MANIFEST {
            let octets = read_manifest(&mut entry).map_err(|error| broken(&last, &error))?;
            let manifest = Manifest::parse(&octets, from)?;
            all_as_written(from, &manifest, found)?;
            return Ok(manifest);
        }
        let to = dir.join(below);
        let item = if entry.header().entry_type().is_dir() {
            disk::make_dir(&to)?;
            Item { name: name.clone(), octets: 0, sha256: None }
        } else {
            let shape = shape_of(&entry);
            write_file(&to, &name, shape, &mut entry).map_err(|failed| match failed {
                // What cannot be written is told as it is; what cannot be read is the archive's.
                BackupError::Io { error, .. } if is_of_archive(&error) => damaged(from, &name, &error.to_string()),
                other => other,
            })?
        };
        octets += item.octets;
        told(octets);
        last.clone_from(&name);
        if found.insert(name, item).is_some() {
            return Err(damaged(from, &last, "it is there twice"));
        }
    }
    Err(damaged(from, &last, "what comes after it is missing"))
}

fn is_of_archive(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | Other | UnexpectedEof)
}

fn all_as_written(from: &Path, manifest: &Manifest, mut found: BTreeMap<String, Item>) -> Result<(), BackupError> {
    for item in &manifest.files {
        match found.remove(&item.name) {
            Some(read) => compare(from, item, &read)?,
            None => return Err(damaged(from, &item.name, "it is missing")),
        }
    }
    match found.pop_first() {
        Some((name, _)) => Err(damaged(from, &name, "it is not in the manifest")),
        None => Ok(()),
    }
}

fn compare(from: &Path, written: &Item, read: &Item) -> Result<(), BackupError> {
    if written.octets != read.octets {
        let why = format!("it has {} octets, and was written with {}", read.octets, written.octets);
        return Err(damaged(from, &written.name, &why));
    }
    if written.sha256 == read.sha256 { Ok(()) } else { Err(damaged(from, &written.name, "its checksum is another")) }
}

fn open(from: &Path) -> Result<Box<dyn Read>, BackupError> {
    let mut file = File::open(from).map_err(BackupError::at(from, "opening"))?;
    let mut begin = [0; 2];
    let zipped = file.read_exact(&mut begin).is_ok() && begin == GZIP;
    file.rewind().map_err(BackupError::at(from, "reading"))?;
    let file = BufReader::new(file);
    Ok(if zipped { Box::new(GzDecoder::new(file)) } else { Box::new(file) })
}
