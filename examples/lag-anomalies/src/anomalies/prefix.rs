//! Consistent prefix (figure 5-5 of the notes): Mr. Poons asks, Mrs. Cake answers, and an observer listens
//! at the follower that lags in one of two shards, or one of two keyspaces.

use repertoire::core::{Error, ShardId};
use repertoire_client::{Keyspace, ReadPolicy};

use super::shown;
use crate::lab::{STALE, anywhere, in_shard, user_of};
use crate::{Lab, Row};

/// The shard that node 1 leads.
const HELD_BACK: ShardId = ShardId(0);
/// The shard that node 2 leads.
const FLOWING: ShardId = ShardId(1);
const SHARDS: &str = "answer before its question";
const KEYSPACES: &str = "the same in two keyspaces";
const QUESTION: &str = "how far?";
const ANSWER: &str = "ten seconds";

// ANCHOR: two_shards
/// Question and answer lie in two shards, whose leaders are two nodes.
pub(super) async fn two_shards(lab: &Lab) -> Result<Vec<Row>, Error> {
    let talk = lab.client().keyspace("talk").await?;
    let keys = [
        in_shard(&talk, HELD_BACK, |n| format!("question-{n}")),
        in_shard(&talk, FLOWING, |n| format!("answer-{n}")),
    ];
    let (weak, token) = overhear(lab, [&talk, &talk], &keys, true).await?;

    // What belongs together may lie together: keys with one {tag} are in one shard, and a shard is one log.
    let question = in_shard(&talk, HELD_BACK, |n| format!("{{poons-{n}}}-question"));
    let together = [question.clone(), question.replace("question", "answer")];
    let (tagged, _) = overhear(lab, [&talk, &talk], &together, false).await?;
    Ok(vec![
        Row::weak(SHARDS, "any follower").showed(weak.in_words(), weak.is_torn()),
        Row::right(SHARDS, "any follower, both keys with one {tag}")
            .showed(tagged.in_words(), tagged.is_torn()),
        Row::right(SHARDS, "session that joined Mrs. Cake's token")
            .showed(token.in_words(), token.is_torn()),
    ])
}
// ANCHOR_END: two_shards

/// Question and answer lie in two keyspaces.
pub(super) async fn two_keyspaces(lab: &Lab) -> Result<Vec<Row>, Error> {
    let comments = lab.client().keyspace("comments").await?;
    let answers = lab.client().keyspace("answers").await?;
    let keys = ["poons".to_owned(), "cake".to_owned()];
    let (weak, token) = overhear(lab, [&comments, &answers], &keys, true).await?;
    Ok(vec![
        Row::weak(KEYSPACES, "any follower").showed(weak.in_words(), weak.is_torn()),
        Row::right(KEYSPACES, "session that joined Mrs. Cake's token")
            .showed(token.in_words(), token.is_torn()),
    ])
}

/// What an observer hears.
struct Heard {
    question: Option<String>,
    answer: Option<String>,
}

impl Heard {
    /// An effect without its cause.
    const fn is_torn(&self) -> bool {
        self.answer.is_some() && self.question.is_none()
    }

    fn in_words(&self) -> String {
        match (&self.question, &self.answer) {
            (None, None) => shown(None::<String>),
            (Some(question), None) => question.clone(),
            (None, Some(answer)) => format!("\"{answer}\", to nothing"),
            (Some(question), Some(answer)) => format!("\"{question}\" \"{answer}\""),
        }
    }
}

// ANCHOR: overhear
/// Mr. Poons asks; Mrs. Cake reads it, answers, and passes on what her session has seen. One observer reads
/// at the follower as it is, another one joins Mrs. Cake's token first. The answer is read before the
/// question, so that a question that came in between would be seen. `has_answer` says whether the answer
/// reaches the follower: it is waited for, then.
async fn overhear(
    lab: &Lab,
    [questions, answers]: [&Keyspace; 2],
    [question, answer]: &[String; 2],
    has_answer: bool,
) -> Result<(Heard, Heard), Error> {
    let (asked_in, answered_in) = (questions.descriptor(), answers.descriptor());
    questions.put(question, QUESTION).await?;
    // She reads at the leader: at a follower she might not hear the question, and answer nothing.
    let cake = lab.client().session("cake").reading(ReadPolicy::Leader);
    let heard = cake.keyspace(&asked_in.name).await?.get(question).await?;
    assert_eq!(
        heard.as_deref(),
        Some(QUESTION.as_bytes()),
        "she answers what she heard"
    );
    let written = cake
        .keyspace(&answered_in.name)
        .await?
        .put(answer, ANSWER)
        .await?;
    if has_answer {
        lab.shown_at(answers, answer, &written, STALE).await?;
    }
    let weak = Heard {
        answer: anywhere(answers, answer, STALE).await?,
        question: anywhere(questions, question, STALE).await?,
    };

    let observer = lab
        .client()
        .resume(user_of(STALE), &cake.token().await?)
        .await?;
    let text = |value: Option<_>| value.map(|value| shown(Some::<bytes::Bytes>(value)));
    let session = Heard {
        answer: text(
            observer
                .keyspace(&answered_in.name)
                .await?
                .get(answer)
                .await?,
        ),
        question: text(
            observer
                .keyspace(&asked_in.name)
                .await?
                .get(question)
                .await?,
        ),
    };
    Ok((weak, session))
}
// ANCHOR_END: overhear
