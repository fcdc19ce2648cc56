//! Groups of servers as typed: `1,2 | 3,4,5`.

use zebu_core::collections::BTreeSet;
use zebu_core::id::ServerId;

/// What is wrong with typed groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupsError {
    /// This is no server here.
    NoServer(String),
    /// A server stands twice.
    Twice(ServerId),
    /// Less than two groups.
    TooFew,
}

/// Reads groups; `known` are the servers there are.
///
/// # Errors
/// What is wrong, and with which word.
pub fn parse(text: &str, known: &[ServerId]) -> Result<Vec<Vec<ServerId>>, GroupsError> {
    let mut seen = BTreeSet::new();
    let mut groups = Vec::new();
    for part in text.split(['|', '｜', ';', '/']) {
        let mut group = Vec::new();
        for word in part.split([',', '，', '、', ' ']).filter(|w| !w.trim().is_empty()) {
            let word = word.trim();
            let id = word.parse().map(ServerId).ok().filter(|id| known.contains(id));
            let id = id.ok_or_else(|| GroupsError::NoServer(word.chars().take(20).collect()))?;
            if !seen.insert(id) {
                return Err(GroupsError::Twice(id));
            }
            group.push(id);
        }
        if !group.is_empty() {
            groups.push(group);
        }
    }
    // Servers that are not named are a group of their own.
    let rest = known.iter().any(|id| !seen.contains(id));
    if groups.len() + usize::from(rest) < 2 || groups.is_empty() { Err(GroupsError::TooFew) } else { Ok(groups) }
}

/// Two groups to begin with: a minority and the rest.
pub fn suggestion(voters: &[ServerId]) -> String {
    let (few, many) = voters.split_at(voters.len().saturating_sub(1) / 2);
    let join = |ids: &[ServerId]| ids.iter().map(ServerId::to_string).collect::<Vec<_>>().join(",");
    format!("{} | {}", join(few), join(many))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_groups() {
        let known: Vec<ServerId> = (1..=5).map(ServerId).collect();
        let ids = |list: &[i64]| list.iter().copied().map(ServerId).collect::<Vec<_>>();
        assert_eq!(parse("1,2 | 3,4,5", &known), Ok(vec![ids(&[1, 2]), ids(&[3, 4, 5])]));
        assert_eq!(parse(" 4 5|", &known), Ok(vec![ids(&[4, 5])]), "the others are a group of their own");
        assert_eq!(parse("1，2｜3、4、5", &known), Ok(vec![ids(&[1, 2]), ids(&[3, 4, 5])]));
        assert_eq!(parse("1,2,3,4,5", &known), Err(GroupsError::TooFew));
        assert_eq!(parse("", &known), Err(GroupsError::TooFew));
        assert_eq!(parse("1,6 | 2", &known), Err(GroupsError::NoServer("6".into())));
        assert_eq!(parse("1,x | 2", &known), Err(GroupsError::NoServer("x".into())));
        assert_eq!(parse("1,2 | 2,3", &known), Err(GroupsError::Twice(ServerId(2))));
        assert_eq!(suggestion(&known), "1,2 | 3,4,5");
        assert!(parse(&suggestion(&known), &known).is_ok());
    }
}
