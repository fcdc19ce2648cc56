//! The shell around the commands: history, prompt, printing, and the commands that are its own.

use super::complete::Helper;
use super::exec::Output;
use super::failure::Failure;
use super::session::Session;
use super::show;
use super::table::{self, Name, Parsed, UsageError};
use super::words::{self, Word};
use crate::client::{Events, Options};
use parking_lot::Mutex;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor, ExternalPrinter};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::runtime::Runtime;
use zebu_core::client::ClientEvent;

/// How many commands the history file keeps.
const HISTORY_MAX: usize = 1000;
/// How many commands `history` shows.
const HISTORY_SHOWN: usize = 11;
/// Redone commands that are redone commands.
const REDO_DEPTH: usize = 1;

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing was typed.
    Nothing,
    /// It went well.
    Done,
    /// It failed, and was told why.
    Failed,
    /// It was the last one.
    Quit,
}

/// Prints events above the prompt.
type Printer = Box<dyn FnMut(String) + Send>;

/// The shell.
pub struct Shell {
    session: Session,
    /// Events not printed yet; a terminal's are taken by a task of their own.
    events: Option<Events>,
    json: bool,
    prints_watches: Arc<AtomicBool>,
    printer: Option<Arc<Mutex<Printer>>>,
    history: Vec<String>,
    /// The person has closed the session.
    closed: bool,
}

impl Shell {
    /// A shell whose client connects at once.
    pub fn new(options: Options, json: bool) -> Shell {
        let (session, events) = Session::start(options);
        Shell {
            session,
            events: Some(events),
            json,
            prints_watches: Arc::new(AtomicBool::new(true)),
            printer: None,
            history: Vec::new(),
            closed: false,
        }
    }

    /// Closes the session on the way out. One that no server serves is left to expire: nobody should wait for that.
    pub async fn close(&self) {
        if self.session.standing().is_served() {
            self.session.close().await;
        }
    }

    /// Tells a failure on standard error.
    pub fn fail(&self, command: &str, failure: &Failure) {
        if self.json {
            eprintln!("{}", json!({ "command": command, "error": failure.json() }));
        } else {
            eprintln!("{failure}");
        }
    }

    fn print(&self, command: &str, output: Output) {
        let text = if self.json {
            let mut object = json!({ "command": command });
            if let (Value::Object(all), Value::Object(members)) = (&mut object, output.json) {
                all.extend(members);
            }
            object.to_string()
        } else if let Some(text) = output.text {
            text
        } else {
            return;
        };
        say(&text);
    }

    /// Prints what has happened by now: an event is here before the answer that shows its cause.
    fn print_events(&mut self) {
        let Some(events) = &mut self.events else { return };
        while let Ok(event) = events.try_recv() {
            // That the session begins and ends goes without saying where nobody looks on.
            if matches!(event, ClientEvent::Watch { .. }) && self.prints_watches.load(Ordering::Relaxed) {
                say(&event_text(&event, self.json).unwrap_or_default());
            }
        }
    }

    /// Carries out a typed line.
    pub async fn line(&mut self, line: &str) -> Turn {
        match words::split(line) {
            Ok(words) if words.is_empty() => Turn::Nothing,
            Ok(words) => {
                self.history.push(line.trim().into());
                self.words(&words).await
            }
            Err(open) => {
                self.fail("", &Failure::Usage(UsageError::Value(open.to_string())));
                Turn::Failed
            }
        }
    }

    /// Carries out a command, and prints what comes of it.
    pub async fn words(&mut self, words: &[Word]) -> Turn {
        self.nested(words, 0).await
    }

    async fn nested(&mut self, words: &[Word], depth: usize) -> Turn {
        let name = words.first().map(|word| word.text.clone()).unwrap_or_default();
        let parsed = match table::parse(words) {
            Ok(None) => return Turn::Nothing,
            Ok(Some(parsed)) => parsed,
            Err(error) => {
                self.fail(&name, &error.into());
                return Turn::Failed;
            }
        };
        let name = parsed.command.text();
        let result = match parsed.command.name {
            Name::Quit => return Turn::Quit,
            Name::Redo => match self.to_redo(&parsed, depth) {
                Ok(line) => {
                    if let Some(last) = self.history.last_mut() {
                        last.clone_from(&line);
                    }
                    let words = words::split(&line).unwrap_or_default();
                    return Box::pin(self.nested(&words, depth + 1)).await;
                }
                Err(failure) => Err(failure),
            },
            Name::Close => self.run_close().await,
            Name::Connect => self.connect(&parsed).await,
            Name::Help => help(&parsed),
            Name::History => Ok(self.show_history()),
            Name::PrintWatches => self.print_watches(&parsed),
            Name::Version => {
                let version = env!("CARGO_PKG_VERSION");
                Ok(Output::new(format!("zebu CLI version: {version}"), json!({ "version": version })))
            }
            _ if self.closed || !self.session.standing().is_alive() => {
                Err(Failure::Rule("Not connected: the session is over. \"connect\" opens another.".into()))
            }
            _ => self.session.run(&parsed).await,
        };
        self.print_events();
        match result {
            Ok(output) => {
                self.print(name, output);
                Turn::Done
            }
            Err(failure) => {
                self.fail(name, &failure);
                Turn::Failed
            }
        }
    }

    fn to_redo(&self, parsed: &Parsed, depth: usize) -> Result<String, Failure> {
        let wrong = |text: &str| Failure::Usage(UsageError::Value(text.into()));
        let number: usize = parsed.first().parse().map_err(|_| wrong("redo needs the number of a command"))?;
        // The last one is this very redo.
        let past = self.history.len().saturating_sub(1);
        let line =
            self.history.get(number).filter(|_| number < past).ok_or_else(|| wrong("Command index out of range"))?;
        if depth >= REDO_DEPTH || line.trim_start().starts_with("redo") {
            return Err(wrong("No redoing redos"));
        }
        Ok(line.clone())
    }

    fn show_history(&self) -> Output {
        let from = self.history.len().saturating_sub(HISTORY_SHOWN);
        let lines = self.history.iter().enumerate().skip(from);
        let text = lines.clone().map(|(number, line)| format!("{number} - {line}")).collect::<Vec<_>>().join("\n");
        let list = lines.map(|(number, line)| json!({ "number": number, "line": line })).collect::<Value>();
        Output::new(text, json!({ "history": list }))
    }

    fn print_watches(&self, parsed: &Parsed) -> Result<Output, Failure> {
        let word = |on: bool| if on { "on" } else { "off" };
        match parsed.arg(0) {
            None => {
                let on = self.prints_watches.load(Ordering::Relaxed);
                Ok(Output::new(format!("printwatches is {}", word(on)), json!({ "printwatches": on })))
            }
            Some(text @ ("on" | "off")) => {
                self.prints_watches.store(text == "on", Ordering::Relaxed);
                Ok(Output::quiet(json!({ "printwatches": text == "on" })))
            }
            Some(other) => {
                Err(Failure::Usage(UsageError::Value(format!("printwatches is on or off, not \"{other}\""))))
            }
        }
    }

    async fn run_close(&mut self) -> Result<Output, Failure> {
        self.session.close().await;
        self.closed = true;
        Ok(Output::quiet(json!({ "ok": true })))
    }

    async fn connect(&mut self, parsed: &Parsed) -> Result<Output, Failure> {
        let mut options = self.session.options.clone();
        if let Some(text) = parsed.arg(0) {
            options.to =
                text.parse().map_err(|error: zebu_core::client::HostError| Failure::Rule(error.to_string()))?;
        }
        self.close().await;
        self.closed = false;
        let to = options.to.to_string();
        let (session, events) = Session::start(options);
        self.session = session;
        match &self.printer {
            Some(printer) => self.follow(events, Arc::clone(printer)),
            None => self.events = Some(events),
        }
        Ok(Output::quiet(json!({ "server": to })))
    }

    /// Prints events of a terminal's shell as they arrive.
    fn follow(&self, mut events: Events, printer: Arc<Mutex<Printer>>) {
        let (json, prints) = (self.json, Arc::clone(&self.prints_watches));
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if let Some(text) = event_text(&event, json).filter(|_| prints.load(Ordering::Relaxed)) {
                    (printer.lock())(format!("{text}\n"));
                }
            }
        });
    }

    fn prompt(&self) -> String {
        let standing = self.session.standing().name();
        format!("[zk: {}({standing}) {}] ", self.session.options.to, self.history.len())
    }

    /// Reads commands from the terminal until the person leaves. Whether the last one went well.
    pub fn interactive(&mut self, runtime: &Runtime) -> bool {
        let config = Config::builder().completion_type(CompletionType::List).auto_add_history(false);
        let config = config.max_history_size(HISTORY_MAX).map(|config| config.build()).unwrap_or_default();
        let mut editor: Editor<Helper, FileHistory> = match Editor::with_config(config) {
            Ok(editor) => editor,
            Err(error) => {
                self.fail("", &Failure::Rule(format!("cannot use the terminal: {error}")));
                return false;
            }
        };
        let file = history_file();
        if let Some(file) = &file {
            // The first time there is none.
            let _ = editor.load_history(file);
        }
        if let (Ok(mut printer), Some(events)) = (editor.create_external_printer(), self.events.take()) {
            let print: Printer = Box::new(move |text| {
                // A terminal that is gone needs no events.
                let _ = printer.print(text);
            });
            let printer = Arc::new(Mutex::new(print));
            self.printer = Some(Arc::clone(&printer));
            self.follow(events, printer);
        }
        let mut good = true;
        loop {
            editor.set_helper(Some(Helper::new(self.session.client.clone(), runtime.handle().clone())));
            match editor.readline(&self.prompt()) {
                Ok(line) => {
                    if !is_secret(&line) {
                        // It fails only where the history is a file that can't be written to.
                        let _ = editor.add_history_entry(&line);
                    }
                    match runtime.block_on(self.line(&line)) {
                        Turn::Done => good = true,
                        Turn::Failed => good = false,
                        Turn::Nothing => {}
                        Turn::Quit => break,
                    }
                }
                // Ctrl-C takes the line back.
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => break,
                Err(error) => {
                    self.fail("", &Failure::Rule(format!("cannot read from the terminal: {error}")));
                    return false;
                }
            }
        }
        if let Some(file) = &file
            && let Err(error) = editor.save_history(file)
        {
            self.fail("", &Failure::Rule(format!("cannot write the history {}: {error}", file.display())));
        }
        good
    }
}

/// Whether a line may name a password, and so is not kept. One that can't be split is judged by its text.
fn is_secret(line: &str) -> bool {
    match words::split(line) {
        Ok(words) => words.iter().any(|word| word.text.eq_ignore_ascii_case("addauth")),
        Err(_) => line.to_ascii_lowercase().contains("addauth"),
    }
}

fn event_text(event: &ClientEvent, json: bool) -> Option<String> {
    if json { show::event_json(event).map(|value| value.to_string()) } else { show::event(event) }
}

/// Writes a line to standard output. Where nobody reads any more (`| head`) the rest needs no writing.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

fn help(parsed: &Parsed) -> Result<Output, Failure> {
    match parsed.arg(0) {
        None => {
            let names = table::COMMANDS.iter().map(table::Command::usage).collect::<Vec<_>>();
            Ok(Output::new(table::overview(), json!({ "commands": names })))
        }
        Some(text) => {
            let command = table::find(text).ok_or_else(|| UsageError::Unknown(text.into()))?;
            Ok(Output::new(command.help(), json!({ "usage": command.usage(), "help": command.help })))
        }
    }
}

/// Where the history is kept: `ZEBU_CLI_HISTORY`, or a file in the home folder; nowhere without either.
fn history_file() -> Option<PathBuf> {
    if let Some(file) = std::env::var_os("ZEBU_CLI_HISTORY") {
        return (!file.is_empty()).then(|| file.into());
    }
    std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".zebu_cli_history"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_stay_out_of_the_history() {
        for (line, secret) in [
            ("addauth digest bob:pw", true),
            ("  \"addauth\" digest bob:pw", true),
            ("addauth digest \"bob:pw", true),
            ("get /addauths", false),
            ("create /a \"b c\"", false),
        ] {
            assert_eq!(is_secret(line), secret, "{line}");
        }
    }
}
