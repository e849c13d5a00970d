# what is installed or shipped of contrib
