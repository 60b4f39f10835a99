//! The rules of records and updates, as the semantics have them.

use std::collections::BTreeMap;

use bayplan::{
    Any, Container, ContainerId, Error, ErrorKind, FieldMask, FieldPath, Labels, Result, Rules,
    limits,
};
use chrono::{DateTime, TimeDelta};

use super::BTreeStore;
use super::fault::Fault;

fn invalid<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::of_kind(ErrorKind::InvalidArgument, message))
}

impl BTreeStore {
    /// Something is no larger than its limit.
    fn check_limit(&self, what: &str, size: usize, limit: usize) -> Result<()> {
        let limit_here = match self.fault {
            Some(Fault::NoLimits) => usize::MAX,
            Some(Fault::LimitsAreOneTooLow) => limit - 1,
            _ => limit,
        };
        if size > limit_here {
            return invalid(format!("{what}: {size} of at most {limit}"));
        }
        Ok(())
    }

    pub(super) fn check_label(&self, key: &str, value: &str) -> Result<()> {
        if key.is_empty() && !self.has(Fault::EmptyKeysAreStored) {
            return invalid("a label with an empty key");
        }
        let size = match self.has(Fault::LabelsAreMeasuredInCharacters) {
            true => key.chars().count() + value.chars().count(),
            false => key.len() + value.len(),
        };
        self.check_limit(&format!("label {key:?}"), size, limits::LABEL_MAX_BYTES)
    }

    /// Checked labels, without those that mean "unset".
    pub(super) fn settled_labels(&self, labels: Labels) -> Result<Labels> {
        let mut settled = Labels::new();
        for (key, value) in labels {
            self.check_label(&key, &value)?;
            if !value.is_empty() || self.has(Fault::EmptyValuesAreStored) {
                settled.insert(self.trimmed(key), value);
            }
        }
        self.check_limit("labels", settled.len(), limits::LABELS_MAX_COUNT)?;
        Ok(settled)
    }

    fn trimmed(&self, key: String) -> String {
        match self.has(Fault::KeysAreTrimmed) {
            true => key.trim().to_owned(),
            false => key,
        }
    }

    fn check_any(&self, what: &str, any: &Any) -> Result<()> {
        self.check_limit(what, any.value.len(), limits::ANY_MAX_BYTES)?;
        self.check_limit(what, any.type_url.len(), limits::TEXT_MAX_BYTES)
    }

    /// A container as it is kept, if it may be.
    pub(super) fn settled(&self, mut container: Container, is_update: bool) -> Result<Container> {
        if !self.has(Fault::IdsAreNotChecked) {
            ContainerId::new(container.id.as_str())?;
        }
        container.labels = self.settled_labels(container.labels)?;
        let mut extensions = BTreeMap::new();
        for (name, value) in container.extensions {
            if name.is_empty() && !self.has(Fault::EmptyKeysAreStored) {
                return invalid("an extension with an empty name");
            }
            let what = format!("extension {name:?}");
            self.check_limit(&what, name.len(), limits::EXTENSION_NAME_MAX_BYTES)?;
            self.check_any(&what, &value)?;
            if value != Any::default() || !self.has(Fault::EmptyExtensionIsUnset) {
                extensions.insert(self.trimmed(name), value);
            }
        }
        self.check_limit("extensions", extensions.len(), limits::EXTENSIONS_MAX_COUNT)?;
        container.extensions = extensions;
        if container.runtime.name.is_empty() && !self.has(Fault::RuntimeNameIsOptional) {
            return invalid("runtime.name is required");
        }
        let empty = Some(Any::default());
        if self.has(Fault::EmptySpecIsNone) && container.spec == empty {
            container.spec = None;
        }
        if self.has(Fault::EmptyOptionsAreNone) && container.runtime.options == empty {
            container.runtime.options = None;
        }
        if container.spec.is_none() && !self.has(Fault::SpecIsOptional) {
            return invalid("spec is required");
        }
        let options = container.runtime.options.iter();
        for any in options.chain(&container.spec) {
            self.check_any("spec or options", any)?;
        }
        for text in [
            &container.image,
            &container.runtime.name,
            &container.snapshotter,
            &container.snapshot_key,
            &container.sandbox_id,
        ] {
            self.check_limit("text", text.len(), limits::TEXT_MAX_BYTES)?;
        }
        self.check_snapshot(&container, is_update)?;
        if self.has(Fault::ImagesAreValidated) && container.image.contains(char::is_whitespace) {
            return invalid("image");
        }
        if self.has(Fault::ValuesAreText) {
            let values = container.extensions.values_mut().chain(&mut container.spec);
            for any in values {
                any.value = String::from_utf8_lossy(&any.value).into_owned().into();
            }
        }
        if self.has(Fault::CreateLosesTheSandbox) && !is_update {
            container.sandbox_id.clear();
        }
        Ok(container)
    }

    fn check_snapshot(&self, container: &Container, is_update: bool) -> Result<()> {
        let has_key = !container.snapshot_key.is_empty();
        let has_snapshotter = !container.snapshotter.is_empty();
        let optional = match is_update {
            true => self.has(Fault::SnapshotterIsOptionalForUpdates),
            false => self.has(Fault::SnapshotterIsOptional),
        };
        if has_key && !has_snapshotter && !optional {
            return invalid("snapshotter is required with a snapshot key");
        }
        if has_snapshotter && !has_key && self.has(Fault::SnapshotterNeedsAKey) {
            return invalid("snapshot key is required with a snapshotter");
        }
        Ok(())
    }

    pub(super) fn stamp_create(&self, created: &mut Container, input: &Container) {
        created.created_at = (self.clock)();
        created.updated_at = created.created_at;
        if self.has(Fault::CallersTimesAreKept) {
            created.created_at = input.created_at;
            created.updated_at = input.updated_at;
        }
        if self.has(Fault::UpdatedAtIsUnset) {
            created.updated_at = DateTime::UNIX_EPOCH;
        }
    }

    pub(super) fn stamp_update(
        &self,
        updated: &mut Container,
        stored: &Container,
        input: &Container,
    ) {
        let now = (self.clock)();
        let next = stored.updated_at + TimeDelta::nanoseconds(1);
        updated.created_at = stored.created_at;
        updated.updated_at = now.max(next);
        if self.has(Fault::UpdatedAtIsTheClock) {
            updated.updated_at = now;
        }
        if self.has(Fault::CreatedAtMoves) {
            updated.created_at = updated.updated_at;
        }
        if self.has(Fault::CallersTimesAreKept) {
            updated.updated_at = input.updated_at;
        }
    }

    /// Takes from the input what an update takes.
    pub(super) fn apply(
        &self,
        updated: &mut Container,
        input: &Container,
        mask: &FieldMask,
    ) -> Result<()> {
        let keep_halves = self.has(Fault::FailedUpdateIsKept);
        if !self.has(Fault::BadPathsAreSkipped) && !keep_halves {
            mask.validate(updated, input)?;
        }
        if mask.is_full() {
            return self.replace(updated, input);
        }
        if self.has(Fault::MaskIsFull) {
            updated.labels.clone_from(&input.labels);
            updated.spec.clone_from(&input.spec);
            updated.extensions.clone_from(&input.extensions);
            return Ok(());
        }
        if self.has(Fault::MaskedInputIsValidated) {
            self.settled(input.clone(), true)?;
        }
        let count = match self.has(Fault::OnlyTheFirstPath) {
            true => 1,
            false => usize::MAX,
        };
        for path in mask.paths().take(count) {
            self.take(updated, input, path)?;
        }
        if keep_halves {
            mask.validate(updated, input)?;
        }
        Ok(())
    }

    fn replace(&self, updated: &mut Container, input: &Container) -> Result<()> {
        let strict = self.rules == Rules::Strict && !self.has(Fault::DifferencesAreIgnored);
        let mut differing = Vec::new();
        let mut differ = |name, differs: bool| {
            if differs {
                differing.push(name);
            }
        };
        differ("image", strict && input.image != updated.image);
        differ(
            "runtime.name",
            input.runtime.name != updated.runtime.name && !self.has(Fault::RuntimeNameMayChange),
        );
        differ(
            "runtime.options",
            strict && input.runtime.options != updated.runtime.options,
        );
        differ(
            "snapshotter",
            input.snapshotter != updated.snapshotter && !self.has(Fault::SnapshotterMayChange),
        );
        differ(
            "snapshot_key",
            strict && input.snapshot_key != updated.snapshot_key,
        );
        differ(
            "sandbox_id",
            strict && input.sandbox_id != updated.sandbox_id,
        );
        if self.has(Fault::OnlyTheFirstDifferenceIsTold) {
            differing.truncate(1);
        }
        if !differing.is_empty() {
            return invalid(format!("immutable: {}", differing.join(", ")));
        }
        if self.has(Fault::FullUpdateMerges) {
            updated.labels.extend(input.labels.clone());
            updated.extensions.extend(input.extensions.clone());
        } else {
            updated.labels.clone_from(&input.labels);
            updated.extensions.clone_from(&input.extensions);
        }
        if !self.has(Fault::FullUpdateKeepsTheSpec) {
            updated.spec.clone_from(&input.spec);
        }
        if self.rules == Rules::Containerd2 && !self.has(Fault::ImageAndKeyNeverChange) {
            updated.image.clone_from(&input.image);
            updated.snapshot_key.clone_from(&input.snapshot_key);
        }
        if self.has(Fault::OptionsAndSandboxAreReplaced) {
            updated.runtime.options.clone_from(&input.runtime.options);
            updated.sandbox_id.clone_from(&input.sandbox_id);
        }
        Ok(())
    }

    fn take(&self, updated: &mut Container, input: &Container, path: &FieldPath) -> Result<()> {
        let key_of = |key: &str| match self.has(Fault::KeysEndAtADot) {
            true => key.split('.').next().unwrap_or_default().to_owned(),
            false if self.has(Fault::KeysLoseTheirQuotes) => key.replace('"', ""),
            false => key.to_owned(),
        };
        let allowed = self.rules == Rules::Containerd2 || self.has(Fault::StrictTakesAllPaths);
        match path {
            FieldPath::Labels => updated.labels.clone_from(&input.labels),
            FieldPath::Label(key) => {
                let key = key_of(key);
                match input.labels.get(&key) {
                    Some(value) => updated.labels.insert(key, value.clone()),
                    None if self.has(Fault::AbsentLabelStays) => None,
                    None if self.has(Fault::RemovingNothingFails)
                        && !updated.labels.contains_key(&key) =>
                    {
                        return Err(Error::of_kind(ErrorKind::NotFound, key));
                    }
                    None => updated.labels.remove(&key),
                };
            }
            FieldPath::Spec => updated.spec.clone_from(&input.spec),
            FieldPath::Extensions => updated.extensions.clone_from(&input.extensions),
            FieldPath::Extension(name) => {
                let name = key_of(name);
                match input.extensions.get(&name) {
                    Some(value) => updated.extensions.insert(name, value.clone()),
                    None if self.has(Fault::AbsentExtensionIsEmpty) => {
                        updated.extensions.insert(name, Any::default())
                    }
                    None => updated.extensions.remove(&name),
                };
            }
            FieldPath::Image if allowed => {
                if !self.has(Fault::ImageAndKeyNeverChange) {
                    updated.image.clone_from(&input.image);
                }
            }
            FieldPath::SnapshotKey if allowed => {
                if !self.has(Fault::ImageAndKeyNeverChange) {
                    updated.snapshot_key.clone_from(&input.snapshot_key);
                }
            }
            other => return invalid(format!("field path {:?}", other.to_string())),
        }
        Ok(())
    }
}
