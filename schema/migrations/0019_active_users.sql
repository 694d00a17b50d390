-- Published: whose account is there, neither suspended nor deleted, so that nobody else is reminded of anything.
CREATE VIEW accounts.active_users AS
    SELECT id AS user_id FROM accounts.users WHERE status = 'active';
GRANT SELECT ON accounts.active_users TO aipoten_accounts, aipoten_assessments;
