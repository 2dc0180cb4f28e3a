//! Replies: delay after errors, reject filter and footer, soft bounce, multi-line form, transcript.

use crate::error_class::ErrorClass;
use crate::session::{Handled, Outcome, Session};
use crate::text::show;
use std::time::Duration;

impl Session {
    /// Queues a reply. Lines of a multi-line reply are separated by CR LF and each begins with the code.
    pub(crate) async fn reply(&mut self, text: &str) {
        let server = self.server.clone();
        if self.errors >= server.settings.smtpd_soft_error_limit
            && !server.settings.smtpd_error_sleep_time.is_zero()
        {
            tokio::time::sleep(server.settings.smtpd_error_sleep_time).await;
            self.flush = true;
        }
        let mut reply = text.to_owned();
        if is_negative(&reply) {
            if let Some(filtered) = self.filtered(&reply).await {
                reply = filtered;
            }
            if is_negative(&reply)
                && let Some(template) = self.footer_template(&reply).await
            {
                self.append_footer(&mut reply, &template);
            }
        }
        self.send_lines(&reply);
        if self.last_io.elapsed() > Duration::from_secs(10) {
            self.flush = true;
        }
        if reply.starts_with("421") || reply.starts_with("521") {
            self.hang_up = true;
        }
    }

    /// Replies to a command that failed, and notes the class of trouble.
    pub(crate) async fn refuse(&mut self, class: ErrorClass, text: &str) -> Handled {
        self.error_mask.add(class);
        self.reply(text).await;
        Ok(Outcome::Failed)
    }

    /// Replies to a command that failed for a reason noted elsewhere.
    pub(crate) async fn fail(&mut self, text: &str) -> Handled {
        self.reply(text).await;
        Ok(Outcome::Failed)
    }

    /// Replies to a command that went well.
    pub(crate) async fn accept(&mut self, text: &str) -> Handled {
        self.reply(text).await;
        Ok(Outcome::Done)
    }

    fn send_lines(&mut self, reply: &str) {
        let soft = self.server.settings.soft_bounce;
        let mut output = std::mem::take(&mut self.output);
        output.reserve(reply.len() + 2);
        let mut lines = reply.strip_suffix("\r\n").unwrap_or(reply).split("\r\n").peekable();
        while let Some(line) = lines.next() {
            let start = output.len();
            output.extend_from_slice(line.as_bytes());
            let line = &mut output[start..];
            if soft && line.first() == Some(&b'5') {
                line[0] = b'4';
                if line.get(4) == Some(&b'5') {
                    line[4] = b'4';
                }
            }
            if lines.peek().is_some()
                && let Some(separator) = line.get_mut(3)
            {
                *separator = b'-';
            }
            self.record_in_history("Out: ", line);
            log::debug!("> {}: {}", self.peer.namaddr, show(line));
            output.extend_from_slice(b"\r\n");
        }
        self.output = output;
    }

    async fn filtered(&self, reply: &str) -> Option<String> {
        let maps = self.server.maps.reject_filter.as_ref()?;
        let found = maps.find(reply.as_bytes()).await.ok()??;
        let result = show(&found.value).into_owned();
        if !is_valid_rejection(result.as_bytes()) {
            log::warning!("{}: ignoring invalid reject filter result: {result}", self.queue_id());
            return None;
        }
        log::info!("{}: reply filter in: {reply}", self.queue_id());
        log::info!("{}: reply filter out: {result}", self.queue_id());
        Some(result)
    }

    async fn footer_template(&self, reply: &str) -> Option<String> {
        if let Some(maps) = &self.server.maps.reject_footer
            && let Ok(Some(found)) = maps.find(reply.as_bytes()).await
        {
            return Some(show(&found.value).into_owned());
        }
        let footer = &self.server.settings.smtpd_reject_footer;
        (!footer.is_empty()).then(|| footer.clone())
    }

    /// Appends the lines of a footer, each with the reply's codes. `\n` in the template starts a line; `\c` at its
    /// start continues the last one. A template that cannot be expanded is left out.
    fn append_footer(&self, reply: &mut String, template: &str) {
        let body = reply.strip_suffix("\r\n").unwrap_or(reply);
        let last = body.rsplit("\r\n").next().unwrap_or_default();
        let code = match last.as_bytes() {
            [a, b, c, b' ' | b'-', ..] if [a, b, c].iter().all(|byte| byte.is_ascii_digit()) => &last[..3],
            _ => return,
        };
        let status = last
            .get(4..)
            .and_then(|text| dsn::enhanced_status(text.as_bytes()).and_then(|length| text.get(..length)))
            .unwrap_or_default();
        let mut result = body.to_owned();
        for (number, line) in template.split("\\n").enumerate() {
            let line = match line.strip_prefix("\\c") {
                Some(line) if number == 0 => line,
                _ => {
                    result.push_str("\r\n");
                    result.push_str(code);
                    result.push(' ');
                    if !status.is_empty() {
                        result.push_str(status);
                        result.push(' ');
                    }
                    line
                }
            };
            match self.expand(line) {
                Ok(text) => result.push_str(&text),
                Err(()) => return,
            }
        }
        *reply = result;
    }
}

fn is_negative(reply: &str) -> bool {
    matches!(reply.as_bytes().first(), Some(b'4' | b'5'))
}

/// `4xx` or `5xx`, a separator, and no enhanced status of another class.
fn is_valid_rejection(reply: &[u8]) -> bool {
    match reply {
        [first @ (b'4' | b'5'), a, b, b' ' | b'-', rest @ ..] => {
            a.is_ascii_digit()
                && b.is_ascii_digit()
                && rest.first().is_none_or(|byte| !byte.is_ascii_digit() || byte == first)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reject_filter_may_answer() {
        assert!(is_valid_rejection(b"450 4.7.1 later"));
        assert!(is_valid_rejection(b"550-no"));
        assert!(!is_valid_rejection(b"450 5.7.1 later"));
        assert!(!is_valid_rejection(b"250 ok"));
    }
}
