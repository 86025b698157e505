-- Guards are the server's: in a file there is nothing to mend.
SELECT 1;
