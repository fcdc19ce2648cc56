//! JAAS's configuration file: which login modules stand in which section, with which options. Of all that JAAS can do
//! Zebu does SASL's DIGEST-MD5, whose users stand in it (client-protocol §18).
//!
//! ```text
//! // comment  /* comment */
//! Server {
//!     org.apache.zookeeper.server.auth.DigestLoginModule required
//!     user_super="adminsecret"
//!     user_bob="bob\"s secret";
//! };
//! ```

use super::ConfigError;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use zebu_core::config::Secret;

/// A login module in a section.
#[derive(Debug, PartialEq, Eq)]
struct Module {
    line: usize,
    class: String,
    options: Vec<(String, String)>,
}

/// The users that a section of `file` names, with their passwords; `None` if there is no such section.
///
/// # Errors
/// A file that can't be read or understood, and a login module other than DIGEST-MD5's, with file and line.
pub fn users(file: &Path, section: &str) -> Result<Option<BTreeMap<String, Secret>>, ConfigError> {
    users_in(file, &read(file)?, section)
}

/// Who a client is by this section: name and password.
///
/// # Errors
/// As [`users`], and a section that is missing or does not say it.
pub fn login(file: &Path, section: &str) -> Result<(String, Secret), ConfigError> {
    login_in(file, &read(file)?, section)
}

fn read(file: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(file).map_err(|error| ConfigError::Unreadable { file: file.into(), error })
}

fn login_in(file: &Path, text: &str, section: &str) -> Result<(String, Secret), ConfigError> {
    let missing = |key: String| {
        let what = format!("{section} {{ … username=\"…\" password=\"…\"; }}; says who the client is");
        ConfigError::Missing { file: file.into(), key, what }
    };
    let modules = modules(file, text, section)?.ok_or_else(|| missing(format!("the section {section}")))?;
    let option = |name: &str| {
        let mut options = modules.iter().flat_map(|module| &module.options);
        let found = options.find(|(key, _)| key == name).map(|(_, value)| value.clone());
        found.ok_or_else(|| missing(format!("{name} in the section {section}")))
    };
    Ok((option("username")?, Secret::new(option("password")?)))
}

/// The same of a file's `text`.
///
/// # Errors
/// As [`users`], but for the reading.
pub fn users_in(file: &Path, text: &str, section: &str) -> Result<Option<BTreeMap<String, Secret>>, ConfigError> {
    let Some(modules) = modules(file, text, section)? else { return Ok(None) };
    let users = modules.iter().flat_map(|module| &module.options).filter_map(|(key, password)| {
        let user = key.strip_prefix("user_")?;
        Some((user.to_string(), Secret::new(password.as_str())))
    });
    Ok(Some(users.collect()))
}

/// The login modules of a section, all of them DIGEST-MD5's.
fn modules(file: &Path, text: &str, section: &str) -> Result<Option<Vec<Module>>, ConfigError> {
    let mut sections = Parser { file, rest: text.chars().peekable(), line: 1, next: None }.sections()?;
    let Some(modules) = sections.remove(section) else { return Ok(None) };
    for module in &modules {
        let (line, value) = (module.line, module.class.clone());
        let unsupported = |what: &str| {
            let (key, value, what) = (section.to_string(), value.clone(), what.to_string());
            ConfigError::Unsupported { file: file.into(), line, key, value, what }
        };
        match module.class.as_str() {
            "org.apache.zookeeper.server.auth.DigestLoginModule" => {}
            class if class.ends_with("Krb5LoginModule") => {
                return Err(unsupported(
                    "Kerberos (GSSAPI) is not spoken; only org.apache.zookeeper.server.auth.DigestLoginModule is",
                ));
            }
            _ => return Err(unsupported("use org.apache.zookeeper.server.auth.DigestLoginModule")),
        }
    }
    Ok(Some(modules))
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Quoted(String),
    Sign(char),
    End,
}

struct Parser<'a> {
    file: &'a Path,
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    line: usize,
    /// A token that was looked at already.
    next: Option<Token>,
}

impl Parser<'_> {
    fn sections(mut self) -> Result<BTreeMap<String, Vec<Module>>, ConfigError> {
        let mut sections = BTreeMap::new();
        while self.peek()? != Token::End {
            let name = self.text("the name of a section")?;
            self.sign('{')?;
            let mut modules = Vec::new();
            while !self.takes('}')? {
                modules.push(self.module()?);
            }
            self.sign(';')?;
            if sections.insert(name.clone(), modules).is_some() {
                return Err(self.wrong(format_args!("there is a section {name} already")));
            }
        }
        Ok(sections)
    }

    /// `class flag key=value ... ;`
    fn module(&mut self) -> Result<Module, ConfigError> {
        let class = self.text("the class of a login module")?;
        let line = self.line;
        let flag = self.text("required, requisite, sufficient or optional")?;
        if !["required", "requisite", "sufficient", "optional"].iter().any(|known| flag.eq_ignore_ascii_case(known)) {
            return Err(self.wrong(format_args!("{flag} is none of required, requisite, sufficient and optional")));
        }
        let mut options = Vec::new();
        while !self.takes(';')? {
            let key = self.text("an option or ;")?;
            self.sign('=')?;
            let value = self.text("the value of an option")?;
            if value.contains("${") {
                return Err(self.wrong(format_args!("{key} names a Java property by ${{...}}; write the value itself")));
            }
            options.push((key, value));
        }
        Ok(Module { line, class, options })
    }

    fn text(&mut self, what: &str) -> Result<String, ConfigError> {
        match self.take()? {
            Token::Word(text) | Token::Quoted(text) => Ok(text),
            other => Err(self.wrong(format_args!("{what} must stand here, not {}", shown(&other)))),
        }
    }

    fn sign(&mut self, sign: char) -> Result<(), ConfigError> {
        match self.take()? {
            Token::Sign(found) if found == sign => Ok(()),
            other => Err(self.wrong(format_args!("{sign} must stand here, not {}", shown(&other)))),
        }
    }

    fn takes(&mut self, sign: char) -> Result<bool, ConfigError> {
        let is = self.peek()? == Token::Sign(sign);
        if is {
            self.take()?;
        }
        Ok(is)
    }

    fn peek(&mut self) -> Result<Token, ConfigError> {
        let token = self.take()?;
        self.next = Some(token.clone());
        Ok(token)
    }

    fn take(&mut self) -> Result<Token, ConfigError> {
        if let Some(token) = self.next.take() {
            return Ok(token);
        }
        loop {
            let Some(c) = self.rest.next() else { return Ok(Token::End) };
            match c {
                '\n' => self.line += 1,
                c if c.is_whitespace() => {}
                '/' if self.rest.peek() == Some(&'/') => while self.rest.next_if(|c| *c != '\n').is_some() {},
                '/' if self.rest.peek() == Some(&'*') => self.skip_comment()?,
                '"' | '\'' => return self.quoted(c),
                '{' | '}' | ';' | '=' => return Ok(Token::Sign(c)),
                c if is_word(c) => {
                    let mut word = String::from(c);
                    while let Some(c) = self.rest.next_if(|c| is_word(*c)) {
                        word.push(c);
                    }
                    return Ok(Token::Word(word));
                }
                c => return Err(self.wrong(format_args!("the character {c:?} must stand in quotes"))),
            }
        }
    }

    fn skip_comment(&mut self) -> Result<(), ConfigError> {
        self.rest.next();
        let mut last = ' ';
        loop {
            match self.rest.next() {
                Some('/') if last == '*' => return Ok(()),
                Some(c) => {
                    self.line += usize::from(c == '\n');
                    last = c;
                }
                None => return Err(self.wrong(format_args!("a comment is not ended by */"))),
            }
        }
    }

    /// Up to the same quote; a backslash makes the next character ordinary, `n`, `t` and `r` what they are in Java.
    fn quoted(&mut self, quote: char) -> Result<Token, ConfigError> {
        let mut text = String::new();
        loop {
            match self.rest.next() {
                Some(c) if c == quote => return Ok(Token::Quoted(text)),
                Some('\\') => match self.rest.next() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('r') => text.push('\r'),
                    Some(c) if c != '\n' => text.push(c),
                    _ => break,
                },
                Some(c) if c != '\n' => text.push(c),
                _ => break,
            }
        }
        Err(self.wrong(format_args!("a text in quotes does not end in its line")))
    }

    fn wrong(&self, what: std::fmt::Arguments<'_>) -> ConfigError {
        ConfigError::Syntax { file: self.file.into(), line: self.line, what: what.to_string() }
    }
}

/// What Java's tokenizer takes for a part of a word.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '$' | '*') || c > '\u{a0}'
}

/// Never a quoted text: it may be a password.
fn shown(token: &Token) -> String {
    match token {
        Token::Word(word) => word.clone(),
        Token::Quoted(_) => "a text in quotes".into(),
        Token::Sign(sign) => sign.to_string(),
        Token::End => "the end of the file".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "org.apache.zookeeper.server.auth.DigestLoginModule required";

    fn read(text: &str) -> Result<Option<BTreeMap<String, Secret>>, ConfigError> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), text).expect("written");
        users(file.path(), "Server")
    }

    #[test]
    fn users_of_a_section() {
        let text = format!(
            "// who may come\nClient {{ com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true; }};\n\
             /* the\nusers */ Server {{\n  {DIGEST}\n  user_super=\"admin\" 'user_a b'='x\"y'\n  user_bob=\"b\\\"o\\\\b\";\n  \
             {DIGEST} user_bob=secret debug=true;\n}};\n"
        );
        let users = read(&text).expect("valid").expect("a section");
        let users: Vec<_> = users.iter().map(|(user, password)| (user.as_str(), password.reveal())).collect();
        assert_eq!(users, [("a b", "x\"y"), ("bob", "secret"), ("super", "admin")]);
        assert_eq!(read("Client { };").expect("valid"), None);
        assert_eq!(read("").expect("valid"), None);
        assert!(!format!("{:?}", read(&text)).contains("admin"), "no password in a log");
    }

    #[test]
    fn who_a_client_is() {
        let login = |text: &str| login_in(Path::new("jaas.conf"), text, "Client");
        let (user, password) =
            login(&format!("Client {{ {DIGEST} username=\"bob\" password=\"s;\"; }};")).expect("valid");
        assert_eq!((user.as_str(), password.reveal()), ("bob", "s;"));
        for (text, what) in [
            ("Server { };".to_string(), "the section Client is missing"),
            (format!("Client {{ {DIGEST} username=bob; }};"), "password in the section Client is missing"),
            ("Client { a.Krb5LoginModule required; };".to_string(), "Kerberos"),
        ] {
            let error = login(&text).expect_err(&text).to_string();
            assert!(error.contains(what), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, line, what) in [
            ("Server", 1, "{ must stand here, not the end of the file"),
            ("Server {\n}", 2, "; must stand here"),
            ("Server {\nx\n};", 3, "required, requisite, sufficient or optional must stand here, not }"),
            ("Server {\nx maybe;\n};", 2, "maybe is none of"),
            ("Server { x required\nuser_a \"b\"; };", 2, "= must stand here, not a text in quotes"),
            ("Server { x required user_a=; };", 1, "the value of an option must stand here, not ;"),
            ("Server { x required user_a=\"b\n\"; };", 1, "does not end in its line"),
            ("Server { x required user_a=\"${pw}\"; };", 1, "write the value itself"),
            ("Server { x required };", 1, "an option or ; must stand here, not }"),
            ("\n# no comment\n", 2, "the character '#' must stand in quotes"),
            ("/* no end", 1, "not ended by */"),
            ("A { };\nA { };", 2, "there is a section A already"),
        ] {
            let error = read(text).expect_err(text);
            assert!(matches!(error, ConfigError::Syntax { line: found, .. } if found == line), "{text:?}: {error}");
            assert!(error.to_string().contains(what), "{text:?}: {error}");
        }
    }

    #[test]
    fn other_login_modules_are_refused() {
        for (class, what) in [
            ("com.sun.security.auth.module.Krb5LoginModule", "Kerberos (GSSAPI) is not spoken"),
            ("com.example.Module", "use org.apache.zookeeper.server.auth.DigestLoginModule"),
        ] {
            let error = read(&format!("Server {{\n{class} required;\n}};")).expect_err(class).to_string();
            assert!(error.contains("line 2: Server=") && error.contains(class) && error.contains(what), "{error}");
        }
        let error = users(Path::new("/no/such/jaas.conf"), "Server").expect_err("no file").to_string();
        assert!(error.contains("/no/such/jaas.conf"), "{error}");
    }
}
