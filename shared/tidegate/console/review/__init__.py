"""The review pages: what is held, on what evidence, and a person's word about it.

Plain HTML made on the server. `viewer` tells who looks and what he may see, `forms` that a form was
shown to him and is about what still stands, `dossier` gathers what a page shows, `pages` answers,
and whoever serves them (MLflow's Flask app) only carries requests in and answers out.

Always holds: nothing is changed by a GET; nobody decides who is not known as an admin; every text
is escaped twice over, its invisible characters and then its HTML; no page runs a script.
"""
