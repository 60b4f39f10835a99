//! A JSON text in lines, of which blocks can be folded.

use std::collections::{BTreeMap, BTreeSet};

/// Blocks in more blocks than these are folded at first: the members of a spec can be seen, but not what is in them.
const UNFOLDED: usize = 3;

#[derive(Debug, Default)]
pub(super) struct Tree {
    lines: Vec<Line>,
    /// The first lines of what is folded.
    folded: BTreeSet<usize>,
}

#[derive(Debug)]
struct Line {
    text: String,
    /// The last line of the block that begins here.
    end: Option<usize>,
    /// How many members that block has.
    members: usize,
    /// In how many blocks it is.
    depth: usize,
}

impl Tree {
    /// Makes a tree of pretty JSON: two blanks for each block, one line for each member and bracket.
    pub(super) fn new(text: &str) -> Self {
        let mut lines: Vec<Line> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        for (number, text) in text.lines().enumerate() {
            let bare = text.trim_start();
            let closes = bare.starts_with(['}', ']']);
            if closes {
                if let Some(line) = open.pop().and_then(|start| lines.get_mut(start)) {
                    line.end = Some(number);
                }
            } else if let Some(line) = open.last().and_then(|start| lines.get_mut(*start)) {
                line.members += 1;
            }
            lines.push(Line {
                text: text.to_owned(),
                end: None,
                members: 0,
                depth: open.len(),
            });
            if bare.ends_with(['{', '[']) {
                open.push(number);
            }
        }
        let mut tree = Self {
            lines,
            folded: BTreeSet::new(),
        };
        tree.fold_below(UNFOLDED);
        tree
    }

    /// Takes another text. Blocks that stay are folded as before.
    pub(super) fn replace(&mut self, text: &str) {
        let mut new = Self::new(text);
        let is_same = |one: &Line, other: &Line| one.text == other.text;
        if new.lines.len() == self.lines.len()
            && new
                .lines
                .iter()
                .zip(&self.lines)
                .all(|(one, other)| is_same(one, other))
        {
            return;
        }
        let before: BTreeMap<String, bool> = self
            .blocks()
            .map(|number| (self.path(number), self.folded.contains(&number)))
            .collect();
        for number in new.blocks().collect::<Vec<_>>() {
            match before.get(&new.path(number)) {
                Some(true) => drop(new.folded.insert(number)),
                Some(false) => drop(new.folded.remove(&number)),
                None => {}
            }
        }
        *self = new;
    }

    /// The lines with which blocks begin.
    fn blocks(&self) -> impl Iterator<Item = usize> {
        let lines = self.lines.iter().enumerate();
        lines
            .filter(|(_, line)| line.end.is_some())
            .map(|(number, _)| number)
    }

    /// The first lines of the blocks around a line, and the line.
    fn path(&self, number: usize) -> String {
        let mut path = String::new();
        let mut next = Some(number);
        while let Some(number) = next {
            path.push_str(self.lines.get(number).map_or("", |line| &line.text));
            path.push('\n');
            next = self.parent(number);
        }
        path
    }

    /// The numbers of the lines that are to be seen.
    pub(super) fn visible(&self) -> Vec<usize> {
        let mut visible = Vec::new();
        let mut next = 0;
        while let Some(line) = self.lines.get(next) {
            visible.push(next);
            next = match line.end {
                Some(end) if self.folded.contains(&next) => end + 1,
                _ => next + 1,
            };
        }
        visible
    }

    /// A line as it is shown.
    pub(super) fn text(&self, number: usize) -> String {
        let Some(line) = self.lines.get(number) else {
            return String::new();
        };
        let Some(end) = line.end.filter(|_| self.folded.contains(&number)) else {
            return line.text.clone();
        };
        let end = self.lines.get(end).map_or("", |end| end.text.trim_start());
        format!("{} {} {end}", line.text, line.members)
    }

    /// Whether a block begins here, and is folded.
    pub(super) fn is_folded(&self, number: usize) -> bool {
        self.folded.contains(&number)
    }

    /// Folds or unfolds the block that begins here.
    pub(super) fn toggle(&mut self, number: usize) {
        if !self.folded.remove(&number) {
            self.fold(number);
        }
    }

    pub(super) fn unfold(&mut self, number: usize) {
        self.folded.remove(&number);
    }

    /// Folds the block that begins here. Returns false if none does, or if it is folded.
    pub(super) fn fold(&mut self, number: usize) -> bool {
        let begins = self
            .lines
            .get(number)
            .is_some_and(|line| line.end.is_some());
        begins && self.folded.insert(number)
    }

    /// The first line of the block that a line is in.
    pub(super) fn parent(&self, number: usize) -> Option<usize> {
        let before = self.lines.iter().enumerate().take(number);
        let is_around = |line: &Line| line.end.is_some_and(|end| end >= number);
        before
            .rev()
            .find(|(_, line)| is_around(line))
            .map(|(number, _)| number)
    }

    pub(super) fn unfold_all(&mut self) {
        self.folded.clear();
    }

    /// Folds all blocks but the outermost.
    pub(super) fn fold_all(&mut self) {
        self.fold_below(1);
    }

    fn fold_below(&mut self, depth: usize) {
        let lines = self.lines.iter().enumerate();
        let deep = lines.filter(|(_, line)| line.end.is_some() && line.depth >= depth);
        self.folded = deep.map(|(number, _)| number).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{
  "id": "web",
  "labels": {
    "app": "nginx {"
  },
  "spec": {
    "json": {
      "args": [
        "a",
        "b"
      ],
      "env": []
    }
  }
}"#;

    fn shown(tree: &Tree) -> Vec<String> {
        let visible = tree.visible().into_iter();
        visible
            .map(|line| tree.text(line).trim_start().to_owned())
            .collect()
    }

    #[test]
    fn blocks_fold_and_unfold() {
        let mut tree = Tree::new(TEXT);
        assert_eq!(shown(&tree)[7], "\"args\": [ 2 ],");
        assert_eq!(tree.visible().len(), 12);
        tree.toggle(7);
        assert_eq!(tree.visible().len(), 15);
        tree.fold_all();
        assert_eq!(
            shown(&tree),
            [
                "{",
                "\"id\": \"web\",",
                "\"labels\": { 1 },",
                "\"spec\": { 1 }",
                "}"
            ]
        );
        tree.unfold(5);
        assert_eq!(shown(&tree)[4], "\"json\": { 2 }");
        tree.unfold_all();
        assert_eq!(tree.visible().len(), 15);
    }

    #[test]
    fn a_line_knows_the_block_around_it() {
        let tree = Tree::new(TEXT);
        let parents = [0, 1, 3, 4, 8, 11, 14].map(|line| tree.parent(line));
        assert_eq!(
            parents,
            [None, Some(0), Some(2), Some(2), Some(7), Some(6), Some(0)]
        );
    }

    #[test]
    fn another_text_is_folded_as_before() {
        let mut tree = Tree::new(TEXT);
        tree.toggle(2);
        tree.toggle(7);
        tree.replace(&TEXT.replace("\"id\": \"web\"", "\"id\": \"web\",\n  \"revision\": 2"));
        assert_eq!(shown(&tree)[3], "\"labels\": { 1 },");
        assert_eq!(shown(&tree)[6], "\"args\": [");
    }

    #[test]
    fn what_is_no_json_is_shown_as_it_is() {
        assert_eq!(shown(&Tree::new("]\n}\nx {")), ["]", "}", "x {"]);
        assert_eq!(Tree::new("").visible().len(), 0);
    }
}
