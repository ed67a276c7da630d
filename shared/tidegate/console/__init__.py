"""The console: a ledger's HTTP API, so that workers and reviewers need no database password.

    tidegate console token add ci --scope write-evidence --expires 90d
    tidegate console serve --port 8443

The console has the database, the policy and the signing key; whoever asks has a token. Evidence
and steps that come over HTTP are claims of the token's holder: they are checked for what can be
checked here, marked with his name, and decided on by the console's own policy (`claims`).

Always holds: without a token that counts, nothing is answered but whether the console is alive; a
scope allows what it names and no more; what is sent can end in a reason (4xx), never in a crash;
encryption on the way is the deployment's affair, and the guide says how.

`access` tells who asks, `messages` what may be sent, `claims` what a claim is worth, `api` has the
routes and `app` puts them together.
"""
