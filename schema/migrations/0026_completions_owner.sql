-- assessments: whose view it is may read it, as of all the others that are published.
GRANT SELECT ON assessments.completions TO aipoten_assessments;
