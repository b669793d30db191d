"""What people read: tables, sentences, pictures, the page, files. It computes nothing."""
