/* to be written */ extern int empty_unit;
