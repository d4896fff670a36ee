"""Shoes drawn by a DCGAN: networks, training that resumes, samples.

What a generator is worth (KID, FID, whether it copies) is judged elsewhere. Which images form a price band is the
``market``'s concern, and where runs lie is the caller's: everything here takes images and a folder.
"""
