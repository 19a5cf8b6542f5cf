"""Reports in the shapes in which mail servers write them. `{to}`: the address to which the report came; `{id}`: the
Message-ID of the message that the report is about."""

POSTFIX = """\
Return-Path: <>
Delivered-To: {to}
Received: by mail.example.com (Postfix)
\tid 4B0F51C0; Sat, 28 Nov 2026 10:00:02 +0000 (UTC)
Date: Sat, 28 Nov 2026 10:00:02 +0000 (UTC)
From: MAILER-DAEMON@mail.example.com (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {to}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="3F2D21C0.1795428002/mail.example.com"
Content-Transfer-Encoding: 8bit
Message-Id: <20261128100002.4B0F51C0@mail.example.com>

This is a MIME-encapsulated message.

--3F2D21C0.1795428002/mail.example.com
Content-Description: Notification
Content-Type: text/plain; charset=utf-8

This is the mail system at host mail.example.com.

<ann@mail.example>: host mx.mail.example[192.0.2.7] said: 550 5.1.1
    <ann@mail.example>: Recipient address rejected: User unknown (in reply to
    RCPT TO command)

--3F2D21C0.1795428002/mail.example.com
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.com
X-Postfix-Queue-ID: 3F2D21C0
X-Postfix-Sender: rfc822; {to}
Arrival-Date: Sat, 28 Nov 2026 10:00:01 +0000 (UTC)

Final-Recipient: rfc822; ann@mail.example
Original-Recipient: rfc822;ann@mail.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.mail.example
Diagnostic-Code: smtp; 550 5.1.1 <ann@mail.example>: Recipient address
    rejected: User unknown

--3F2D21C0.1795428002/mail.example.com
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

Return-Path: <{to}>
From: news@example.com
To: ann@mail.example
Subject: The news
Message-ID: <{id}>

--3F2D21C0.1795428002/mail.example.com--
"""

#: the status says only that it failed; the diagnostic text says why
EXCHANGE = """\
From: postmaster@contoso.example
To: {to}
Date: Sat, 28 Nov 2026 11:00:02 +0100
Content-Type: multipart/report; report-type=delivery-status; boundary="_b1_"
X-MS-Exchange-Message-Is-Ndr:
Content-Language: en-US
Message-ID: <3ac81b51-2dfc-49b1-8ec2-7ad3d0f2a1d6@contoso.example>
In-Reply-To: <{id}>
References: <{id}>
Subject: Undeliverable: The news
Auto-Submitted: auto-replied
MIME-Version: 1.0

--_b1_
Content-Type: multipart/alternative; differences=Content-Type; boundary="_b2_"

--_b2_
Content-Type: text/plain; charset="us-ascii"
Content-Transfer-Encoding: quoted-printable

Delivery has failed to these recipients or groups:

--_b2_
Content-Type: text/html; charset="us-ascii"
Content-Transfer-Encoding: quoted-printable

<html><body>Delivery has failed</body></html>

--_b2_--

--_b1_
Content-Type: message/delivery-status

Reporting-MTA: dns;AM0PR01.prod.example
Received-From-MTA: dns;mail.example.com
Arrival-Date: Sat, 28 Nov 2026 10:00:01 +0000

Original-Recipient: rfc822;ann@contoso.example
Final-Recipient: rfc822;ann@contoso.example
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient ann@contoso.example not found by
X-Display-Name: ann@contoso.example

--_b1_
Content-Type: message/rfc822

From: news@example.com
To: ann@contoso.example
Message-ID: <{id}>
Subject: The news

Hello.

--_b1_--
"""

GMAIL = """\
Delivered-To: {to}
Return-Path: <>
Date: Sat, 28 Nov 2026 02:00:02 -0800 (PST)
Content-Type: multipart/report; boundary="00000000000081eb4f"; report-type=delivery-status
To: {to}
From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
Subject: Delivery Status Notification (Failure)
References: <{id}>
In-Reply-To: <{id}>
X-Failed-Recipients: ann@gmail.example
Message-ID: <67498802.050a0220.2d1a95.0a1b.GMR@mx.google.example>

--00000000000081eb4f
Content-Type: text/plain; charset="UTF-8"

** Address not found **

Your message wasn't delivered to ann@gmail.example because the address couldn't be found.

--00000000000081eb4f
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.com
Arrival-Date: Sat, 28 Nov 2026 02:00:01 -0800 (PST)
X-Original-Message-ID: <{id}>

Final-Recipient: rfc822; ann@gmail.example
Action: failed
Status: 5.0.0
Remote-MTA: dns; gmail-smtp-in.l.google.example. (192.0.2.27, the server for the domain gmail.example.)
Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist. Please try
 550-5.1.1 double-checking the recipient's email address for typos or
 550 5.1.1 unnecessary spaces. - gsmtp
Last-Attempt-Date: Sat, 28 Nov 2026 02:00:02 -0800 (PST)

--00000000000081eb4f--
"""

#: a full mailbox, after days of attempts: failed with a temporary code
MAILBOX_FULL = """\
To: {to}
Content-Type: multipart/report; report-type="delivery-status"; boundary=x

--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.com

Final-Recipient: rfc822; ann@mail.example
Action: failed
Status: 4.2.2
Diagnostic-Code: smtp; 452 4.2.2 The mailbox of <ann@mail.example> is full

--x--
"""

DELAYED = """\
To: {to}
Subject: Delayed Mail (still being retried)
Content-Type: multipart/report; report-type=delivery-status; boundary=x

--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.com

Final-Recipient: rfc822; ann@mail.example
Action: delayed
Status: 4.4.1
Diagnostic-Code: X-Postfix; connect to mx.mail.example[192.0.2.7]:25: Connection timed out
Will-Retry-Until: Thu, 3 Dec 2026 10:00:01 +0000 (UTC)

--x--
"""

DELIVERED = DELAYED.replace("Action: delayed\nStatus: 4.4.1", "Action: delivered (to mailbox)\nStatus: 2.0.0")

#: no report-type, and no Action
CARELESS = """\
To: {to}
Content-Type: multipart/mixed; boundary=x

--x
Content-Type: message/delivery-status

Reporting-MTA: mail.example.com

Final-Recipient: ann@mail.example
Status: 5.7.1 (delivery not authorized)

--x--
"""

EXIM = """\
Return-path: <>
Envelope-to: {to}
X-Failed-Recipients: ann@mail.example
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@mail.example.com>
To: {to}
Subject: Mail delivery failed: returning message to sender
Message-Id: <E1tGxyz-0003Ab-1k@mail.example.com>
Date: Sat, 28 Nov 2026 10:00:02 +0000

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  ann@mail.example
    host mx.mail.example [192.0.2.7]
    SMTP error from remote mail server after RCPT TO:<ann@mail.example>:
    550 5.1.1 <ann@mail.example>: No such user here

------ This is a copy of the message, including all the headers. ------

Return-path: <{to}>
From: news@example.com
Message-ID: <{id}>

"""

QMAIL = """\
Return-Path: <>
From: MAILER-DAEMON@mail.example.com
To: {to}
Subject: failure notice
Date: 28 Nov 2026 10:00:02 -0000

Hi. This is the qmail-send program at mail.example.com.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<ann@mail.example>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <{to}>
Message-ID: <{id}>
"""

ARF = """\
From: <feedback@isp.example>
To: {to}
Date: Sat, 28 Nov 2026 10:00:02 +0000
Subject: FW: The news
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="part1_13d.2e68ed54"

--part1_13d.2e68ed54
Content-Type: text/plain; charset="US-ASCII"
Content-Transfer-Encoding: 7bit

This is an email abuse report for an email message received from IP 192.0.2.1.

--part1_13d.2e68ed54
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <{to}>
Original-Rcpt-To: <redacted@isp.example>
Source-IP: 192.0.2.1

--part1_13d.2e68ed54
Content-Type: message/rfc822
Content-Disposition: inline

From: <news@example.com>
To: <redacted@isp.example>
Subject: The news
Message-ID: <{id}>

Hello.
--part1_13d.2e68ed54--
"""

OPT_OUT = ARF.replace("Feedback-Type: abuse", "Feedback-Type: opt-out")
NOT_SPAM = ARF.replace("Feedback-Type: abuse", "Feedback-Type: not-spam")

OUT_OF_OFFICE = """\
From: ann@mail.example
To: {to}
Auto-Submitted: auto-replied
In-Reply-To: <{id}>
Subject: Out of office
Content-Type: text/plain

I am back on Monday. The mailbox is full and the user unknown.
"""

#: a complaint's copy of a message that is a bounce itself
BOUNCE_WITHIN = """\
To: {to}
Content-Type: multipart/mixed; boundary=outer

--outer
Content-Type: text/plain

Look at this.

--outer
Content-Type: message/rfc822

Content-Type: multipart/report; boundary=x

--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.com

Final-Recipient: rfc822; ann@mail.example
Action: failed
Status: 5.1.1

--x--

--outer--
"""
