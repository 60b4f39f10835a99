//! Buckets: lookups, and iteration in the order of the keys.

use std::iter::FusedIterator;

use super::Reader;
use super::cursor::Cursor;
use super::nesting::Place;
use super::value::Value;
use crate::error::Result;

/// A bucket: keys in order, each with a value or a nested bucket.
#[derive(Clone, Debug)]
pub struct Bucket<'r> {
    reader: &'r Reader,
    place: Place,
}

/// What a key has.
#[derive(Clone, Debug)]
pub enum Item<'r> {
    /// A value.
    Value(Value<'r>),
    /// A nested bucket.
    Bucket(Bucket<'r>),
}

/// A key and what it has.
#[derive(Clone, Debug)]
pub struct Entry<'r> {
    /// The key; the name of a nested bucket.
    pub key: Vec<u8>,
    /// Its value or bucket.
    pub item: Item<'r>,
}

impl<'r> Bucket<'r> {
    pub(super) fn new(reader: &'r Reader, place: Place) -> Self {
        Self { reader, place }
    }

    /// Returns the value of a key. `None` if there is no such key, or if it has a bucket.
    ///
    /// # Errors
    ///
    /// [`Damaged`](crate::Error::Damaged) if a page on the way is damaged.
    /// [`ValueTooLong`](crate::Error::ValueTooLong), see [`Value::read`]. [`Io`](crate::Error::Io).
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.find(key)? {
            Some(Item::Value(value)) => value.read().map(Some),
            _ => Ok(None),
        }
    }

    /// Returns the bucket of this name. `None` if there is no such key, or if it has a value.
    ///
    /// # Errors
    ///
    /// [`Damaged`](crate::Error::Damaged) if a page on the way is damaged. [`Io`](crate::Error::Io).
    pub fn bucket(&self, name: &[u8]) -> Result<Option<Bucket<'r>>> {
        match self.find(name)? {
            Some(Item::Bucket(bucket)) => Ok(Some(bucket)),
            _ => Ok(None),
        }
    }

    /// Returns the value or bucket of a key: for values that are to be read piece by piece, or if it may be either.
    ///
    /// # Errors
    ///
    /// [`Damaged`](crate::Error::Damaged) if a page on the way is damaged. [`Io`](crate::Error::Io).
    pub fn find(&self, key: &[u8]) -> Result<Option<Item<'r>>> {
        let entry = self.iter_from(key).next().transpose()?;
        Ok(entry
            .filter(|entry| entry.key == key)
            .map(|entry| entry.item))
    }

    /// Iterates over all entries, in the order of their keys. Values are read only when requested, and few pages are in
    /// memory at once.
    ///
    /// After an error there is no further entry.
    pub fn iter(&self) -> Iter<'r> {
        Iter::new(self.clone(), None)
    }

    /// Iterates over the entries from a key on, whether or not it exists.
    pub fn iter_from(&self, key: &[u8]) -> Iter<'r> {
        Iter::new(self.clone(), Some(key.to_vec()))
    }

    /// Returns the bucket's own number, which bbolt's `NextSequence` increases.
    pub fn sequence(&self) -> u64 {
        self.place.sequence
    }

    /// Returns how many buckets it is nested in: 0 for the root bucket.
    pub fn depth(&self) -> usize {
        self.place.nesting.depth()
    }
}

impl<'r> IntoIterator for &Bucket<'r> {
    type Item = Result<Entry<'r>>;
    type IntoIter = Iter<'r>;

    fn into_iter(self) -> Iter<'r> {
        self.iter()
    }
}

/// The entries of a [`Bucket`], in the order of their keys.
#[derive(Debug)]
pub struct Iter<'r> {
    bucket: Bucket<'r>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing has been read.
    Before(Option<Vec<u8>>),
    At(Cursor),
    Done,
}

impl<'r> Iter<'r> {
    fn new(bucket: Bucket<'r>, from: Option<Vec<u8>>) -> Self {
        Self {
            bucket,
            state: State::Before(from),
        }
    }

    fn advance(&mut self, cursor: &mut Cursor) -> Result<Option<Entry<'r>>> {
        let Bucket { reader, place } = &self.bucket;
        let pages = &reader.pages;
        let Some((node, index, element)) = cursor.next(pages)? else {
            return Ok(None);
        };
        let key = node.key(pages, &element)?.into_owned();
        let item = if element.is_bucket() {
            let place = Place::of_element(pages, &node, index, &element, &place.nesting)?;
            Item::Bucket(Bucket::new(reader, place))
        } else {
            let (at, length) = (element.value(), element.value_bytes);
            Item::Value(Value::new(reader, node, at, length))
        };
        Ok(Some(Entry { key, item }))
    }

    fn step(&mut self) -> Result<Option<Entry<'r>>> {
        let mut cursor = match std::mem::replace(&mut self.state, State::Done) {
            State::Done => return Ok(None),
            State::At(cursor) => cursor,
            State::Before(from) => {
                let root = &self.bucket.place.root;
                Cursor::at(&self.bucket.reader.pages, root, from.as_deref())?
            }
        };
        let entry = self.advance(&mut cursor)?;
        if entry.is_some() {
            self.state = State::At(cursor);
        }
        Ok(entry)
    }
}

impl<'r> Iterator for Iter<'r> {
    type Item = Result<Entry<'r>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

impl FusedIterator for Iter<'_> {}
