-- notifications answers who may see a therapist online: guardians of a child that the therapist works with.
GRANT USAGE ON SCHEMA children TO aipoten_notifications;
GRANT SELECT ON children.guardians, aipoten.therapist_relations TO aipoten_notifications;
