//! Reads the Markdown files of this project: their links, anchors, code blocks, tables and prose.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Tag, TagEnd};

use crate::real::project;

/// One document.
pub(crate) struct Document {
    /// Its path in this project.
    pub(crate) path: PathBuf,
    pub(crate) source: String,
    /// Where its links and pictures lead.
    pub(crate) links: Vec<String>,
    /// The anchors of its headings.
    pub(crate) anchors: BTreeSet<String>,
    /// Code blocks: the language, and the text.
    blocks: Vec<(String, String)>,
    /// What people read, without code.
    pub(crate) prose: String,
}

impl Document {
    pub(crate) fn read(path: &str) -> Self {
        let source = fs::read_to_string(project(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut document = Self {
            path: path.into(),
            links: Vec::new(),
            anchors: BTreeSet::new(),
            blocks: Vec::new(),
            prose: String::new(),
            source,
        };
        let source = document.source.clone();
        let (mut heading, mut block) = (None::<String>, None::<(String, String)>);
        for event in pulldown_cmark::Parser::new_ext(&source, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => document.anchor(&heading.take().unwrap_or_default()),
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                    block = Some((language.to_string(), String::new()));
                }
                Event::End(TagEnd::CodeBlock) => document.blocks.extend(block.take()),
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    document.links.push(dest_url.to_string());
                }
                Event::Html(html) | Event::InlineHtml(html) => {
                    let parts = html.split('"').collect::<Vec<_>>();
                    let named = |pair: &&[&str]| ["src=", "srcset=", "href="].iter().any(|key| pair[0].ends_with(key));
                    document.links.extend(parts.windows(2).filter(named).map(|pair| pair[1].to_owned()));
                }
                Event::Text(text) => match (&mut block, &mut heading) {
                    (Some((_, code)), _) => code.push_str(&text),
                    (None, heading) => {
                        if let Some(heading) = heading {
                            heading.push_str(&text);
                        }
                        document.prose.push_str(&text);
                        document.prose.push(' ');
                    }
                },
                Event::Code(code) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&code);
                    }
                }
                _ => {}
            }
        }
        document
    }

    /// Notes the anchor of a heading, as GitHub makes it.
    fn anchor(&mut self, heading: &str) {
        let kept = |character: &char| character.is_alphanumeric() || matches!(character, ' ' | '-' | '_');
        let slug = heading.trim().to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-");
        let again = (1..).map(|number| format!("{slug}-{number}"));
        let anchor = std::iter::once(slug.clone()).chain(again).find(|anchor| !self.anchors.contains(anchor));
        self.anchors.extend(anchor);
    }

    pub(crate) fn blocks(&self, language: &str) -> impl Iterator<Item = &str> {
        self.blocks.iter().filter(move |(known, _)| known == language).map(|(_, text)| text.as_str())
    }

    /// What follows a heading, up to the next of its level.
    pub(crate) fn section(&self, heading: &str) -> &str {
        let level = heading.split(' ').next().unwrap_or_default();
        let rest = self.source.split_once(&format!("\n{heading}\n"));
        let rest = rest.unwrap_or_else(|| panic!("{} has no section {heading}", self.path.display())).1;
        rest.split(&format!("\n{level} ")).next().unwrap_or_default()
    }
}

/// Every Markdown file of this project.
pub(crate) fn documents() -> Vec<Document> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !matches!(name.as_str(), "target" | "node_modules" | ".git") {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    let root = project("");
    let mut found = Vec::new();
    walk(&root, &mut found);
    found.sort();
    found.iter().map(|path| Document::read(path.strip_prefix(&root).unwrap().to_str().unwrap())).collect()
}

/// The rows of the tables in a part of a document, without their heads: what stands in each cell.
pub(crate) fn rows(part: &str) -> Vec<Vec<String>> {
    let lines = part.lines().filter(|line| line.starts_with("| `"));
    lines.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// The first word between backticks.
pub(crate) fn code(cell: &str) -> &str {
    cell.split('`').nth(1).unwrap_or_default()
}
