//! Where a backup is restored to.

use std::path::{Path, PathBuf};

use config::{ConfigError, Settings, Text};

use crate::BackupError;
use crate::places::Places;

/// Where to.
#[derive(Debug)]
pub struct Target {
    /// Where the configuration belongs.
    pub config: PathBuf,
    /// Where the parts do.
    pub places: Places,
    /// The command by which a server is started there.
    pub start: String,
    /// Where a server would answer that runs there; `None`: nobody knows of this place yet.
    pub socket: Option<PathBuf>,
}

impl Target {
    /// Where the configuration of this machine says, or, where there is none, that of the backup.
    pub fn in_place(config: &Path, text: &str, sets: &[String]) -> Result<Self, ConfigError> {
        let settings = if config.exists() { config::read(config, sets)?.settings } else { parse(text, config, sets)? };
        let start = format!("systemctl start sekisho, or sekisho -c {}{} serve", config.display(), options(sets));
        let (places, socket) = (Places::of(&settings), Some(settings.admin.socket));
        Ok(Self { config: config.to_owned(), places, start, socket })
    }

    /// All below one folder, whatever the configuration says of places.
    pub fn below(dir: &Path, text: &str, sets: &[String]) -> Result<Self, BackupError> {
        let dir = std::path::absolute(dir).map_err(BackupError::at(dir, "looking for"))?;
        let (config, places) = (dir.join("sekisho.toml"), Places::below(&dir));
        let mut all = sets.to_vec();
        all.push(format!("data_dir={}", dir.display()));
        // A configuration that is wrong here is told when the server is started.
        if let Ok(settings) = parse(text, &config, &all) {
            all.extend(places.sets_from(&Places::of(&settings)));
        }
        let start = format!("sekisho -c {}{} serve", config.display(), options(&all));
        Ok(Self { config, places, start, socket: None })
    }
}

fn options(sets: &[String]) -> String {
    sets.iter().fold(String::new(), |line, set| line + " --set " + set)
}

fn parse(text: &str, file: &Path, sets: &[String]) -> Result<Settings, ConfigError> {
    let base_dir = file.parent().unwrap_or(Path::new("/"));
    let parsed = config::parse(&Text { name: &file.to_string_lossy(), text, base_dir }, sets);
    Ok(parsed.map_err(ConfigError::Mistaken)?.settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_a_folder_every_place_is() {
        let text = "hostname = 'mail.example.test'\n[spool]\npath = '/srv/queue'\n";
        let target = Target::below(Path::new("/srv/trial"), text, &[]).unwrap();
        assert_eq!(
            target.start,
            "sekisho -c /srv/trial/sekisho.toml --set data_dir=/srv/trial --set spool.path=/srv/trial/spool serve"
        );
        let own =
            parse(text, &target.config, &["data_dir=/srv/trial".to_owned(), "spool.path=/srv/trial/spool".to_owned()]);
        assert_eq!(Places::of(&own.unwrap()), target.places);
    }

    #[test]
    fn in_its_place_the_configuration_of_this_machine_counts() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("sekisho.toml");
        let text = "hostname = 'mail.example.test'\ndata_dir = '/srv/theirs'\n";
        let data_dir = |config: &Path| Target::in_place(config, text, &[]).unwrap().places.data_dir;
        assert_eq!(data_dir(&config), Path::new("/srv/theirs"));
        std::fs::write(&config, text.replace("theirs", "ours")).unwrap();
        assert_eq!(data_dir(&config), Path::new("/srv/ours"));
    }
}
