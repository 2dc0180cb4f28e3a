//! Postfix's own cases for masquerading and for message content.

mod common;

use std::rc::Rc;

use common::{Rig, area, content};
use ferrofix_cleanup::config::MasqueradeDomain;
use ferrofix_cleanup::masquerade::masquerade;
use ipc::cleanup::{Status, flags};
use table::StringList;

/// The words of `args = ["", "a", "b"]`.
fn words(line: &str) -> Vec<String> {
    let inside = line.split_once('[').unwrap().1.rsplit_once(']').unwrap().0;
    inside.split(", ").map(|word| word.trim_matches('"').to_owned()).collect()
}

#[test]
fn masquerading() {
    let Some(folder) = area("cleanup_masquerade") else { return };
    let cases = std::fs::read_to_string(folder.join("cases.toml")).unwrap();
    let want = std::fs::read_to_string(folder.join("cleanup_masq.ref")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let env = Rc::new(table::Env::default());
    let mut got = String::new();
    for line in cases.lines().filter(|line| line.starts_with("args = ")) {
        let [exceptions, list, address] = words(line).try_into().unwrap();
        let domains = MasqueradeDomain::parse_list(&list);
        let excepted = (!exceptions.is_empty())
            .then(|| StringList::open("masquerade_exceptions", &exceptions, &env, Default::default()));
        let result = runtime.block_on(masquerade(address.as_bytes(), &domains, excepted.as_ref()));
        let errors = if result.is_err() { Status::WRITE.0 } else { 0 };
        let shown =
            result.ok().flatten().map_or(address.clone(), |changed| String::from_utf8(changed).unwrap());
        got += &format!(
            "----------\nexceptions: {exceptions}\nmasq_list:  {list}\naddress:    {address}\n\
             result:     {shown}\nerrs:       {errors}\n"
        );
    }
    assert_eq!(got, want);
}

#[test]
fn text_after_the_headers() {
    let Some(folder) = area("cleanup_message") else { return };
    let vectors = std::fs::read_to_string(folder.join("cleanup_message.toml")).unwrap();
    let mut count = 0;
    for vector in vectors.split("[[vector]]").skip(1) {
        let value = |key: &str| {
            let line = vector.lines().find(|line| line.starts_with(&format!("{key} = ")))?;
            Some(line.split_once(" = ")?.1.to_owned())
        };
        let action = value("non_empty_end_of_header_action").unwrap();
        let rig = Rig::new(&[("non_empty_end_of_header_action", action.trim_matches('"'))]);
        let input = words(&value("input").unwrap());
        // A remote client's message gets no headers added.
        let mut records =
            vec![('T', "1 1"), ('A', "rewrite_context=remote"), ('S', "s@x"), ('R', "r@x"), ('M', "")];
        records.extend(input.iter().map(|line| ('N', line.as_str())));
        records.extend([('X', ""), ('E', "")]);
        let (reply, file) = rig.run(flags::FILTER, &records);
        match value("want_error") {
            Some(error) => assert_eq!(reply.status.detail().text, error.trim_matches('"')),
            None => {
                let want = value("want").unwrap().trim_matches('"').replace("\\n", "\n");
                assert_eq!(content(&file.unwrap()).join("\n") + "\n", want);
            }
        }
        count += 1;
    }
    assert_eq!(count, 3);
}

#[test]
fn a_clients_size_record_is_not_trusted() {
    use queue::envelope::send_options;
    let rig = Rig::new(&[]);
    let size = format!("-1 -1 -1 -1 -1 {}", send_options::ALL);
    let records = [
        ('C', size.as_str()),
        ('T', "1 1"),
        ('S', "s@x"),
        ('R', "r@x"),
        ('M', ""),
        ('N', "Received: x"),
        ('X', ""),
        ('E', ""),
    ];
    let (reply, file) = rig.run(flags::MASK_EXTERNAL, &records);
    assert!(reply.status.is_ok());
    let file = file.unwrap();
    assert_eq!(file.iter().filter(|record| record.starts_with('C')).count(), 1);
    let numbers: Vec<i64> = file[0][1..].split_whitespace().map(|word| word.parse().unwrap()).collect();
    assert_eq!(numbers[5], send_options::ALL & !send_options::DERIVED);
    assert!(numbers.iter().all(|&number| number >= 0));
}
