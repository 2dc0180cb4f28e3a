//! Aliases, whole domains and catch-alls; and that they are applied once, behind the content filter.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use harness::{Sink, System, scenario};

use super::{maildir, server};

/// The filter's services in master.cf: the guide's, and the one that it forgot.
const SERVICES: &str = "
amavis unix - - n - 2 smtp
127.0.0.1:10025 inet n - - - - smtpd
       -o content_filter=
      \t-o local_recipient_maps=
       -o relay_recipient_maps=
      \t-o smtpd_restriction_classes=
       -o smtpd_client_restrictions=
       -o smtpd_recipient_restrictions=permit_mynetworks,reject
       -o mynetworks=127.0.0.0/8,10.3.0.0/24
       -o smtpd_helo_restrictions=
       -o smtpd_sender_restrictions=
       -o smtpd_recipient_restrictions=permit_mynetworks,reject
       -o strict_rfc821_envelopes=yes
       -o receive_override_options=no_unknown_recipient_checks,no_header_body_checks
       -o smtpd_bind_address=127.0.0.1
";

/// Gives the filter's messages back from then on, and waits until there were so many.
fn give_back(system: &System, filter: &Sink, done: &AtomicUsize, count: usize) {
    let messages = filter.wait_for(count, Duration::from_secs(20));
    for message in messages.iter().skip(done.swap(count, Ordering::Relaxed)) {
        let mut client = system.smtp_to(None, "127.0.0.1:10025");
        client.expect("EHLO localhost", 250);
        client.expect(&format!("MAIL FROM:{}", message.mail.split(' ').next().unwrap_or_default()), 250);
        for recipient in &message.recipients {
            client.expect(&format!("RCPT TO:{}", recipient.split(' ').next().unwrap_or_default()), 250);
        }
        client.expect("DATA", 354);
        let reply = client.message(&message.text());
        assert_eq!(reply.code, 250, "{}", reply.text());
        client.expect("QUIT", 221);
    }
    system.settle();
}

scenario! {
    fn g2_02_04_aliases_behind_the_filter(system) {
        let Some(_server) = server(system, "g2_02_04_aliases_behind_the_filter", "") else { return };
        system.run(&["postconf", "-e", "content_filter = amavis:[127.0.0.1]:10024"]).well();
        let master = system.read("/etc/postfix/master.cf");
        system.file("/etc/postfix/master.cf", &(master + SERVICES));
        let filter = Sink::smtp("127.0.0.1:10024");
        let other = Sink::smtp("198.51.100.10:25");
        let done = AtomicUsize::new(0);
        system.start();
        // The address, and where its mail is to arrive.
        let domain = "/home/vmail/d3xt3r01.tk";
        for (count, (address, users, elsewhere)) in (1..).zip([
            ("proba@d3xt3r01.tk", vec!["dexter"], vec![]),
            ("dexter@d3xt3r01.tk", vec!["dexter"], vec![]),
            ("anybody@d3xt3r01.tk", vec!["thomas"], vec![]),
            ("info@d3xt3r01.tk", vec!["sales"], vec!["<billing@anotherdomain.tld>"]),
            ("Somebody@example.tk", vec![], vec!["<Somebody@anotherdomain.tld>"]),
        ]) {
            system.shell(&format!("rm -rf {domain}")).well();
            other.clear();
            let mut client = system.smtp_from("203.0.113.5");
            client.expect("EHLO client.example.org", 250);
            client.submit("someone@example.org", &[address], &format!("Subject: to {address}\n\nText.\n"));
            client.expect("QUIT", 221);
            give_back(system, &filter, &done, count);
            // The filter saw the address as it was written.
            let seen = filter.messages().pop().expect("a message").recipients;
            assert!(seen.len() == 1 && seen[0].starts_with(&format!("<{address}>")), "{seen:?}");
            for user in ["dexter", "thomas", "sales"] {
                let mail = maildir(system, &format!("d3xt3r01.tk/{user}"));
                assert_eq!(mail.len(), usize::from(users.contains(&user)), "{address} for {user}");
                for mail in mail {
                    assert!(mail.contains(&format!("\nX-Original-To: {address}\n")), "{mail}");
                    assert!(mail.contains(&format!("\nDelivered-To: {user}@d3xt3r01.tk\n")), "{mail}");
                }
            }
            let sent: Vec<_> = other.messages().into_iter().flat_map(|message| message.recipients).collect();
            let sent: Vec<_> = sent.iter().filter_map(|recipient| recipient.split(' ').next()).collect();
            assert_eq!(sent, elsewhere, "{address}");
        }
        assert!(!system.logged("status=(bounced|deferred)"));
    }
}
