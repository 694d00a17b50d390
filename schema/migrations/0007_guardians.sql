-- children: invitations of further guardians. accounts publishes by what an invited person is recognised.

-- How an e-mail address is compared, as bytes that do not show it.
CREATE FUNCTION aipoten.address_digest(address text) RETURNS bytea
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    BEGIN
        RETURN sha256(convert_to(lower(address), 'UTF8'));
    END
    $$;
REVOKE ALL ON FUNCTION aipoten.address_digest(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aipoten.address_digest(text) TO aipoten_accounts, aipoten_children;
CREATE INDEX idx_users_address_digest ON accounts.users (aipoten.address_digest(email));

-- Published: a user as those see who share a child, and the digest of the address, by which an invitation finds whom it is for.
-- Only an address that its owner has verified opens anything.
CREATE VIEW accounts.guardian_facts AS
    SELECT id AS user_id, name, aipoten.address_digest(email) AS address_digest,
           status = 'active' AND email_verified_at IS NOT NULL AS address_verified
    FROM accounts.users;
GRANT SELECT ON accounts.guardian_facts TO aipoten_accounts, aipoten_children;

-- One that is over (accepted, declined, withdrawn, expired) holds nothing of whom it was for; it stays for a while to be counted.
CREATE TABLE children.guardian_invitations (
    id             uuid        PRIMARY KEY,
    child_id       uuid        NOT NULL REFERENCES children.children,
    invited_by     uuid        NOT NULL REFERENCES accounts.users,
    email          bytea,                 -- sealed
    address_digest bytea,
    token_hash     bytea,                 -- SHA-256: the token itself stands in the mail only
    expires_at     timestamptz NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT aipoten.app_now(),
    ended_at       timestamptz,
    CONSTRAINT guardian_invitations_ended_check
        CHECK (num_nonnulls(email, address_digest, token_hash) = CASE WHEN ended_at IS NULL THEN 3 ELSE 0 END)
);
CREATE UNIQUE INDEX guardian_invitations_token_key ON children.guardian_invitations (token_hash);
CREATE UNIQUE INDEX guardian_invitations_address_key ON children.guardian_invitations (child_id, address_digest)
    WHERE ended_at IS NULL;
CREATE INDEX idx_guardian_invitations_child_id ON children.guardian_invitations (child_id, created_at);
CREATE INDEX idx_guardian_invitations_invited_by ON children.guardian_invitations (invited_by, created_at);
CREATE INDEX idx_guardian_invitations_address_digest ON children.guardian_invitations (address_digest);
CREATE INDEX idx_guardian_invitations_expires_at ON children.guardian_invitations (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON children.guardian_invitations TO aipoten_children;
