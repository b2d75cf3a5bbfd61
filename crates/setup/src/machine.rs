//! What the machine gives the server: a user of its own, folders, a unit of systemd.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use keep::{KeepError, NewFile, Owner};
use nix::unistd::{Gid, Uid, User, getegid, geteuid, setegid, seteuid};

use crate::{State, Step};

/// The server's user, and its group.
pub const USER: &str = "sekisho";
/// Where its home is, which is its data.
pub const DATA: &str = "/var/lib/sekisho";
/// The unit as the package installs it.
const UNIT: &str = include_str!("../../../packaging/sekisho.service");
/// The program in it.
const PROGRAM: &str = "/usr/bin/sekisho";
/// Where units are looked for.
const UNITS: [&str; 4] =
    ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
/// Where programs are found.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why the machine is not ready.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// The user is not there and cannot be made.
    #[error("the user {USER} cannot be made: {0}; make a system user of this name, then run this again")]
    User(String),
    /// A folder.
    #[error("{path}: {error}", path = path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file.
    #[error(transparent)]
    File(#[from] KeepError),
    /// Rights could not be changed.
    #[error("becoming the user {USER}: {0}")]
    Rights(#[from] nix::Error),
}

/// Whether this process may make users and units.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// The server's user; a system user without a login is made if there is none.
pub fn user() -> Result<(Owner, Step), MachineError> {
    let step = format!("user {USER}");
    if let Some(owner) = known()? {
        return Ok((owner, Step::new(step, State::There)));
    }
    let made = Command::new("useradd")
        .args(["--system", "--user-group", "--no-create-home", "--home-dir", DATA])
        .args(["--shell", "/usr/sbin/nologin", "--comment", "Sekisho mail server", USER])
        .env("PATH", PATH)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| MachineError::User(format!("useradd: {error}")))?;
    if !made.status.success() {
        return Err(MachineError::User(String::from_utf8_lossy(&made.stderr).trim().to_owned()));
    }
    let owner = known()?.ok_or_else(|| MachineError::User("useradd made it, and it is not there".to_owned()))?;
    Ok((owner, Step::new(step, State::Made)))
}

fn known() -> Result<Option<Owner>, MachineError> {
    let found = User::from_name(USER).map_err(|error| MachineError::User(error.to_string()))?;
    Ok(found.map(|user| Owner { uid: user.uid.as_raw(), gid: user.gid.as_raw() }))
}

/// A folder as it shall be; one that is there stays as it is, and what is not as it should be is told.
pub fn folder(path: &Path, mode: u32, owner: Owner) -> Result<Step, MachineError> {
    let failed = |error| MachineError::Folder { path: path.to_owned(), error };
    let step = |state| Step::new(format!("folder {}", path.display()), state);
    match fs::metadata(path) {
        Ok(found) => {
            let mut wrong = Vec::new();
            if (found.uid(), found.gid()) != (owner.uid, owner.gid) {
                wrong.push(format!("chown {}:{} {}", owner.uid, owner.gid, path.display()));
            }
            if found.permissions().mode() & 0o7777 & !mode != 0 {
                wrong.push(format!("chmod {mode:o} {}", path.display()));
            }
            Ok(if wrong.is_empty() {
                step(State::There)
            } else {
                step(State::Left)
                    .noting(format!("it is there otherwise than the server needs it: {}", wrong.join("; ")))
            })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(mode).create(path).map_err(failed)?;
            chown(path, Some(owner.uid), Some(owner.gid)).map_err(failed)?;
            Ok(step(State::Made))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Does it with the rights of the server's user, so that what it makes belongs to it, and returns to those of before.
pub fn as_user<T>(owner: Owner, work: impl FnOnce() -> T) -> Result<T, MachineError> {
    let (uid, gid) = (geteuid(), getegid());
    setegid(Gid::from_raw(owner.gid))?;
    seteuid(Uid::from_raw(owner.uid)).inspect_err(|_| {
        // What could not be taken fully is not kept in part; the error is told in any case.
        let _ = setegid(gid);
    })?;
    let done = work();
    seteuid(uid)?;
    setegid(gid)?;
    Ok(done)
}

/// The unit, unless one is there or the machine has no systemd.
pub fn unit(program: &Path) -> Result<Step, MachineError> {
    unit_below(Path::new("/"), program)
}

fn unit_below(root: &Path, program: &Path) -> Result<Step, MachineError> {
    let name = "unit sekisho.service";
    let at = |folder: &str| root.join(folder.trim_start_matches('/'));
    if UNITS.iter().any(|folder| at(folder).join("sekisho.service").exists()) {
        return Ok(Step::new(name, State::There));
    }
    let folder = at(UNITS[0]);
    if !folder.is_dir() {
        return Ok(Step::new(name, State::Left).noting("there is no systemd here: start the server by what is"));
    }
    // The unit hides these folders from the server.
    if ["/home", "/root", "/tmp", "/run/user"].iter().any(|hidden| program.starts_with(hidden)) {
        let note = format!("install the program first: install -m 755 {} {PROGRAM}", program.display());
        return Ok(Step::new(name, State::Left).noting(note));
    }
    let text = UNIT.replace(PROGRAM, &program.to_string_lossy());
    let path = folder.join("sekisho.service");
    NewFile { path: &path, octets: text.as_bytes(), mode: 0o644, owner: None }.create()?;
    Ok(Step::new(name, State::Made).noting("systemctl daemon-reload"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_made_once_and_starts_this_program() {
        let root = tempfile::tempdir().unwrap();
        let program = Path::new("/usr/local/bin/sekisho");
        assert_eq!(unit_below(root.path(), program).unwrap().state, State::Left, "no systemd");
        fs::create_dir_all(root.path().join("etc/systemd/system")).unwrap();
        let hidden = unit_below(root.path(), Path::new("/tmp/sekisho")).unwrap();
        assert!(hidden.state == State::Left && hidden.note.contains("install -m 755 /tmp/sekisho /usr/bin/sekisho"));
        assert_eq!(unit_below(root.path(), program).unwrap().state, State::Made);
        let text = fs::read_to_string(root.path().join("etc/systemd/system/sekisho.service")).unwrap();
        assert!(text.contains("ExecStart=/usr/local/bin/sekisho serve\n") && !text.contains("/usr/bin/sekisho"));
        assert_eq!(unit_below(root.path(), program).unwrap().state, State::There);
    }

    #[test]
    fn a_folder_is_made_once_and_what_is_wrong_with_one_that_is_there_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let owner = Owner { uid: geteuid().as_raw(), gid: getegid().as_raw() };
        assert_eq!(folder(&path, 0o700, owner).unwrap().state, State::Made);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o700);
        assert_eq!(folder(&path, 0o700, owner).unwrap().state, State::There);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let told = folder(&path, 0o700, owner).unwrap();
        assert!(told.state == State::Left && told.note.contains("chmod 700"), "{told:?}");
    }
}
